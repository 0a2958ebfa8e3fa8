//! Puts a seed's file into a running server, through the server's own client in its container, or by its protocol.
//!
//! Nothing is kept in memory whole: a thread reads and unpacks the file, and what it gives goes on at once.

use crate::docker::{Engine, EngineError, ExecRequest, Streams};
use crate::model::{Diagnostic, Exit, Failure, Origin, Protocol, Secret, Seed};
use crate::plan::DesiredService;
use crate::project::Checkout;
use crate::protocol;
use futures_util::stream;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// How much is handed on at once, and how many of these wait.
const CHUNK: usize = 256 * 1024;
const WAITING: usize = 8;

/// Of a client's messages the last so many bytes are kept.
const MOST_SAID: usize = 64 * 1024;

/// Between two reports of how far it is.
const TICK: Duration = Duration::from_millis(200);

/// Longer statements are shown by their beginning.
const MOST_OF_A_STATEMENT: usize = 300;

/// A server that is being seeded.
pub struct Seeding<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// The server's container.
    pub container: &'a str,
    /// The server.
    pub service: &'a DesiredService,
    /// The checkout that the seeds' files lie in.
    pub checkout: &'a Checkout,
}

/// Takes one file in. `on_progress` hears how many bytes of it are done, and of how many.
pub async fn take_file(
    seeding: &Seeding<'_>,
    seed: &Seed,
    path: &Path,
    database: Option<&str>,
    on_progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<(), Failure> {
    let file = seeding.checkout.open(path).map_err(|fault| unreadable(seed, path, &fault.into()))?;
    let length = file.metadata().map_or(0, |facts| facts.len());
    let opened = unpacked(file, Arc::default()).map_err(|error| unreadable(seed, path, &error))?;
    let done = Arc::new(AtomicU64::new(0));
    let taking = async {
        match (seeding.service.protocol, opened.content) {
            (Protocol::Postgres, Content::PostgresDump) => {
                let database = seeding.database(database);
                let client = ["pg_restore", "--exit-on-error", "--no-owner", "--no-privileges", "--dbname", &database];
                through(seeding, seed, path, &client, &done).await
            }
            (Protocol::Postgres, Content::Other) => {
                let database = seeding.database(database);
                let client = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=ECHO=errors"];
                let rest = ["--dbname", &database, "--file=-"];
                through(seeding, seed, path, &[&client[..], &rest].concat(), &done).await
            }
            (Protocol::Mysql, Content::Other) => {
                let database = seeding.database(database);
                let script =
                    r#"exec "$(command -v mariadb || command -v mysql)" --user="$DEVENV_USER" --database="$1""#;
                through(seeding, seed, path, &["sh", "-c", script, "sh", &database], &done).await
            }
            (Protocol::Amqp, Content::Other) => {
                through(seeding, seed, path, &["rabbitmqctl", "--quiet", "import_definitions"], &done).await
            }
            (Protocol::Redis, Content::RedisDump) => reload(seeding, seed, path, &done).await,
            (Protocol::Redis, Content::Other) => commands(seeding, seed, path, &done).await,
            (_, content) => Err(refused(
                seeding,
                seed,
                path,
                None,
                &format!("it is {}, which {} does not take", content.name(), seeding.service.title),
            )),
        }
    };
    let mut taking = std::pin::pin!(taking);
    loop {
        tokio::select! {
            biased;
            taken = &mut taking => return taken,
            () = tokio::time::sleep(TICK) => on_progress(done.load(Ordering::Relaxed).min(length), length),
        }
    }
}

impl Seeding<'_> {
    fn file(&self, path: &Path) -> io::Result<File> {
        Ok(self.checkout.open(path)?)
    }

    fn database(&self, named: Option<&str>) -> String {
        let first = self.service.endpoints.first().and_then(|endpoint| endpoint.database.clone());
        named.map(str::to_owned).or(first).unwrap_or_default()
    }
}

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// `pg_dump --format=custom`.
    PostgresDump,
    /// What Redis writes to disk.
    RedisDump,
    /// Text of some sort.
    Other,
}

impl Content {
    fn name(self) -> &'static str {
        match self {
            Self::PostgresDump => "a dump in Postgres' custom format",
            Self::RedisDump => "a Redis dump",
            Self::Other => "no dump that is known here",
        }
    }
}

struct Opened {
    content: Content,
    reader: Box<dyn BufRead + Send>,
}

/// Counts what was read of the file as it lies there.
struct Counted(File, Arc<AtomicU64>);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// What a file holds, unpacked where it is packed.
fn unpacked(file: File, done: Arc<AtomicU64>) -> io::Result<Opened> {
    let mut packed = BufReader::with_capacity(CHUNK, Counted(file, done));
    let unsupported = |what: &str| {
        let text = format!("it is compressed by {what}; gzip and zstd are taken, and what is not compressed");
        io::Error::new(io::ErrorKind::Unsupported, text)
    };
    let reader: Box<dyn Read + Send> = match packed.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(packed);
            Box::new(decoder.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?)
        }
        [b'B', b'Z', b'h', ..] => return Err(unsupported("bzip2")),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => return Err(unsupported("xz")),
        [b'P', b'K', 3, 4, ..] => return Err(unsupported("zip")),
        _ => Box::new(packed),
    };
    let mut reader = BufReader::with_capacity(CHUNK, reader);
    let start = reader.fill_buf()?;
    let content = if start.starts_with(b"PGDMP") {
        Content::PostgresDump
    } else if start.starts_with(b"REDIS0") || start.starts_with(b"VALKEY") {
        Content::RedisDump
    } else {
        Content::Other
    };
    Ok(Opened { content, reader: Box::new(reader) })
}

/// The file's content in pieces, read by a thread of its own; an error ends them.
fn pieces(file: io::Result<File>, done: &Arc<AtomicU64>) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let done = Arc::clone(done);
    std::thread::spawn(move || {
        let mut reader = match file.and_then(|file| unpacked(file, done)) {
            Ok(opened) => opened.reader,
            Err(error) => return drop(sender.blocking_send(Err(error))),
        };
        loop {
            let piece = reader.fill_buf().map(<[u8]>::to_vec);
            let read = piece.as_ref().map_or(0, Vec::len);
            reader.consume(read);
            // The other side has gone, or this is the end.
            if !matches!(&piece, Ok(bytes) if bytes.is_empty()) && sender.blocking_send(piece).is_err() || read == 0 {
                return;
            }
        }
    });
    receiver
}

/// Keeps the end of what a client says.
#[derive(Default)]
struct Said(Vec<u8>);

impl Write for &mut Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        let over = self.0.len().saturating_sub(MOST_SAID);
        self.0.drain(..over);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Feeds a client in the container with the file.
async fn through(
    seeding: &Seeding<'_>,
    seed: &Seed,
    path: &Path,
    client: &[&str],
    done: &Arc<AtomicU64>,
) -> Result<(), Failure> {
    let command = client.iter().map(|word| (*word).to_owned()).collect();
    let environment: Vec<(String, Secret)> = seeding.service.shell_environments[1].clone();
    let request = ExecRequest { command, environment, tty: false };
    let mut broken = None;
    let mut said = Said::default();
    let pieces = pieces(seeding.file(path), done);
    let input = stream::unfold((pieces, &mut broken), |(mut pieces, broken)| async move {
        match pieces.recv().await? {
            Ok(piece) => Some((piece, (pieces, broken))),
            Err(error) => {
                *broken = Some(error);
                None
            }
        }
    });
    // What statements answer is nobody's business; what goes wrong is.
    let streams = Streams { input, output: io::sink(), error: &mut said, sizes: stream::pending() };
    let code = seeding.engine.exec(seeding.container, &request, streams).await.map_err(EngineError::into_failure)?;
    if let Some(error) = broken {
        return Err(unreadable(seed, path, &error));
    }
    if code == 0 {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said.0).trim().to_owned();
    let line = line_in(&said);
    let statement = line.and_then(|line| line_of(seeding.file(path).ok()?, line));
    Err(refused(seeding, seed, path, line.zip(statement), if said.is_empty() { "it says nothing" } else { &said }))
}

/// The line that psql (`psql:<stdin>:17: ERROR: …`) or mysql (`ERROR 1146 (42S02) at line 17: …`) names.
fn line_in(said: &str) -> Option<usize> {
    let after = said.split_once("<stdin>:").or_else(|| said.split_once(" at line "))?.1;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// A line of the unpacked file, as far as people read it.
fn line_of(file: File, line: usize) -> Option<String> {
    let mut reader = unpacked(file, Arc::default()).ok()?.reader;
    for _ in 1..line {
        if reader.skip_until(b'\n').ok()? == 0 {
            return None;
        }
    }
    // A dump may be one line as a whole: of that the beginning is enough.
    let mut bytes = Vec::new();
    reader.take(4 * MOST_OF_A_STATEMENT as u64).read_until(b'\n', &mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    (line > 0 && !bytes.is_empty()).then(|| text.chars().take(MOST_OF_A_STATEMENT).collect())
}

/// The longest command of a text for Redis, in bytes: it is held in memory as a whole.
const LONGEST_COMMAND: usize = 16 * 1024 * 1024;

/// The whole lines of what was read so far with one more piece of it; of the last piece (none), all that is left.
fn whole_lines(rest: &mut Vec<u8>, piece: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let Some(piece) = piece else { return Ok(std::mem::take(rest)) };
    let end = piece.iter().rposition(|byte| *byte == b'\n').map(|at| rest.len() + at + 1);
    rest.extend_from_slice(piece);
    let whole = end.map_or_else(Vec::new, |end| rest.drain(..end).collect());
    if rest.len() > LONGEST_COMMAND {
        return Err(format!("the line is longer than {} MB, so this is no text of commands", LONGEST_COMMAND >> 20));
    }
    Ok(whole)
}

fn refused(seeding: &Seeding<'_>, seed: &Seed, path: &Path, at: Option<(usize, String)>, said: &str) -> Failure {
    let name = path.display();
    let mut told = Diagnostic::error("seed", format!("{} does not take {name}", seeding.service.name));
    told = told.at(&seed.origin, "this seed");
    if let Some((line, statement)) = at {
        told = told.because(format!("{name}:{line}: {statement}"));
    }
    for line in said.lines().take(12) {
        told = told.because(line.to_owned());
    }
    Failure::new(Exit::Failed, told.help("mend the file and run it again: nothing of this seed was kept"))
}

fn unreadable(seed: &Seed, path: &Path, error: &io::Error) -> Failure {
    let told = Diagnostic::error("seed-read", format!("cannot read the seed {}", path.display()));
    let told = told.at(&seed.origin, "this seed").because(error.to_string());
    Failure::new(Exit::Failed, told.help("check the file, and whether it was copied whole"))
}

/// Commands of a text, one a line, over the server's own protocol: its client tells no line.
async fn commands(seeding: &Seeding<'_>, seed: &Seed, path: &Path, done: &Arc<AtomicU64>) -> Result<(), Failure> {
    let Some(endpoint) = seeding.service.endpoints.first() else { return Ok(()) };
    let mut pieces = pieces(seeding.file(path), done);
    let mut session = protocol::RedisSession::open(endpoint).await.map_err(|error| lost(seeding, seed, &error))?;
    let (mut rest, mut number) = (Vec::new(), 0);
    loop {
        let piece = pieces.recv().await.transpose().map_err(|error| unreadable(seed, path, &error))?;
        let is_last = piece.is_none();
        let whole = whole_lines(&mut rest, piece.as_deref()).map_err(|error| {
            let begins = String::from_utf8_lossy(&rest[..MOST_OF_A_STATEMENT.min(rest.len())]).into_owned();
            refused(seeding, seed, path, Some((number + 1, begins)), &error)
        })?;
        let mut batch = Vec::new();
        for line in whole.split_inclusive(|byte| *byte == b'\n') {
            number += 1;
            let text = String::from_utf8_lossy(line).trim().to_owned();
            let words = protocol::redis_words(line);
            match words {
                Some(words) if words.is_empty() || text.starts_with('#') => {}
                Some(words) => batch.push((number, text, words)),
                None => {
                    return Err(refused(seeding, seed, path, Some((number, text)), "a quote is not closed"));
                }
            }
        }
        let requests: Vec<&[Vec<u8>]> = batch.iter().map(|(_, _, words)| words.as_slice()).collect();
        let outcome = session.send(&requests).await.map_err(|error| lost(seeding, seed, &error))?;
        if let Some((at, error)) = outcome {
            let (number, text, _) = &batch[at];
            return Err(refused(seeding, seed, path, Some((*number, text.clone())), &error));
        }
        if is_last {
            return Ok(());
        }
    }
}

fn lost(seeding: &Seeding<'_>, seed: &Seed, error: &protocol::ProbeError) -> Failure {
    let told = Diagnostic::error("seed", format!("{} went away while it was seeded", seeding.service.name));
    let told = told.at(&seed.origin, "this seed").because(error.message.clone());
    Failure::new(Exit::Failed, told.help("its memory may be too small for it: `settings: {maxmemory: …}`"))
}

/// Puts a dump in the place of the server's own and has it read that.
async fn reload(seeding: &Seeding<'_>, seed: &Seed, path: &Path, done: &Arc<AtomicU64>) -> Result<(), Failure> {
    let Some(endpoint) = seeding.service.endpoints.first() else { return Ok(()) };
    let mut session = protocol::RedisSession::open(endpoint).await.map_err(|error| lost(seeding, seed, &error))?;
    let place = session.dump_path().await.map_err(|error| lost(seeding, seed, &error))?;
    // By its own client's container: a file that the server may read, wherever it may write.
    let script = r#"cat >"$1.seed" && chown --reference="$(dirname "$1")" "$1.seed" && mv "$1.seed" "$1""#;
    through(seeding, seed, path, &["sh", "-c", script, "sh", &place], done).await?;
    match session.reload().await.map_err(|error| lost(seeding, seed, &error))? {
        None => Ok(()),
        Some(error) => Err(refused(seeding, seed, path, None, &error)),
    }
}

/// For messages of whoever runs a command as a seed.
pub fn command_failed(service: &str, seed: &Seed, origin: &Origin, why: &str, said: &[String]) -> Failure {
    let mut told = Diagnostic::error("seed-command", format!("the seed command of {service} failed"))
        .at(origin, "this seed")
        .because(format!("`{}` {why}", seed.source.name()));
    for line in said {
        told = told.because(line.clone());
    }
    Failure::new(Exit::Failed, told.help("mend it and run it again: nothing of this seed was kept"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Seek as _;

    #[test]
    fn the_line_is_the_one_that_the_client_names() {
        assert_eq!(line_in("psql:<stdin>:17: ERROR:  relation \"x\" does not exist"), Some(17));
        assert_eq!(line_in("ERROR 1146 (42S02) at line 3: Table 'shop.x' doesn't exist"), Some(3));
        assert_eq!(line_in("pg_restore: error: could not execute query"), None);
    }

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn what_a_file_is_its_bytes_tell_packed_or_not() {
        for (bytes, content) in [
            (b"PGDMP\x01".to_vec(), Content::PostgresDump),
            (gzip(b"PGDMP\x01"), Content::PostgresDump),
            (b"REDIS0011".to_vec(), Content::RedisDump),
            (b"SELECT 1;".to_vec(), Content::Other),
            (gzip(b"SELECT 1;"), Content::Other),
            (Vec::new(), Content::Other),
        ] {
            assert_eq!(unpacked(file(&bytes).into_file(), Arc::default()).unwrap().content, content, "{bytes:?}");
        }
        for (bytes, name) in [(&b"BZh9"[..], "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"PK\x03\x04", "zip")] {
            let error = unpacked(file(bytes).into_file(), Arc::default()).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn a_text_without_line_ends_is_refused_and_not_gathered() {
        let mut rest = Vec::new();
        assert_eq!(whole_lines(&mut rest, Some(b"SET a 1\nSET")).unwrap(), b"SET a 1\n");
        assert_eq!(whole_lines(&mut rest, Some(b" b 2")).unwrap(), b"");
        assert_eq!(whole_lines(&mut rest, None).unwrap(), b"SET b 2");
        let piece = vec![b'x'; CHUNK];
        let refused = (0..=LONGEST_COMMAND / CHUNK).find_map(|_| whole_lines(&mut rest, Some(&piece)).err());
        assert!(refused.is_some_and(|error| error.contains("16 MB")) && rest.len() <= LONGEST_COMMAND + CHUNK);
        let long = file(&vec![b'y'; 4 * CHUNK]);
        assert_eq!(line_of(long.reopen().unwrap(), 1).unwrap().len(), MOST_OF_A_STATEMENT);
    }

    #[test]
    fn a_line_is_that_of_the_unpacked_file() {
        let packed = file(&gzip(b"one\n  two;\nthree"));
        assert_eq!(line_of(packed.reopen().unwrap(), 2).as_deref(), Some("two;"));
        assert_eq!(line_of(packed.into_file(), 9), None);
    }

    #[tokio::test]
    async fn a_file_comes_in_pieces_and_its_progress_is_counted() {
        let bytes = vec![b'x'; CHUNK * 3 + 7];
        let (plain, done) = (file(&bytes), Arc::default());
        let mut pieces = pieces(Ok(plain.into_file()), &done);
        let mut came = Vec::new();
        while let Some(piece) = pieces.recv().await {
            came.extend(piece.unwrap());
        }
        assert_eq!(came, bytes);
        assert_eq!(done.load(Ordering::Relaxed), bytes.len() as u64);
        let cut = gzip(&bytes);
        let cut = file(&cut[..cut.len() / 2]);
        let mut pieces = super::pieces(Ok(cut.into_file()), &Arc::default());
        let mut last = None;
        while let Some(piece) = pieces.recv().await {
            last = Some(piece);
        }
        assert!(last.unwrap().is_err(), "a file that is cut short is told");
    }
}
