//! Loads a seed file into a running server, through the server's own client in its container, or by the server's
//! protocol.
//!
//! No file is held in memory as a whole: a thread reads and unpacks the file, and passes on each piece at once.

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

/// The size of a piece in bytes, and how many pieces may wait.
const CHUNK: usize = 256 * 1024;
const WAITING: usize = 8;

/// How many of the last bytes of a client's messages are kept.
const MAX_MESSAGES: usize = 64 * 1024;

/// The time between two progress reports.
const TICK: Duration = Duration::from_millis(200);

/// The longest part of a statement that messages show, in characters.
const MAX_STATEMENT: usize = 300;

/// A server that is being seeded.
pub struct Seeding<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// The server's container.
    pub container: &'a str,
    /// The server.
    pub service: &'a DesiredService,
    /// The checkout that contains the seed files.
    pub checkout: &'a Checkout,
}

/// Loads one file. `on_progress` receives the number of bytes that are done, and the total.
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

/// The type of a file, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// `pg_dump --format=custom`.
    PostgresDump,
    /// A dump that Redis writes to disk.
    RedisDump,
    /// Any other content, such as text.
    Other,
}

impl Content {
    fn name(self) -> &'static str {
        match self {
            Self::PostgresDump => "a dump in Postgres' custom format",
            Self::RedisDump => "a Redis dump",
            Self::Other => "no dump of a known format",
        }
    }
}

struct Opened {
    content: Content,
    reader: Box<dyn BufRead + Send>,
}

/// Counts the bytes that were read of the file, before they are unpacked.
struct Counted(File, Arc<AtomicU64>);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// The content of a file, unpacked if it is compressed.
fn unpacked(file: File, done: Arc<AtomicU64>) -> io::Result<Opened> {
    let mut packed = BufReader::with_capacity(CHUNK, Counted(file, done));
    let unsupported = |what: &str| {
        let text = format!("it is compressed by {what}; only gzip and zstd, and uncompressed files, are supported");
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

/// The content of a file in pieces. A separate thread reads it. An error ends the pieces.
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
            // The receiver is gone, or this is the end.
            if !matches!(&piece, Ok(bytes) if bytes.is_empty()) && sender.blocking_send(piece).is_err() || read == 0 {
                return;
            }
        }
    });
    receiver
}

/// Keeps the end of a client's output.
#[derive(Default)]
struct Said(Vec<u8>);

impl Write for &mut Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        let parent_spec = self.0.len().saturating_sub(MAX_MESSAGES);
        self.0.drain(..parent_spec);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Feeds the file to a client in the container.
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
    // The results of statements are not needed. Their errors are.
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

/// A line of the unpacked file, shortened for a message.
fn line_of(file: File, line: usize) -> Option<String> {
    let mut reader = unpacked(file, Arc::default()).ok()?.reader;
    for _ in 1..line {
        if reader.skip_until(b'\n').ok()? == 0 {
            return None;
        }
    }
    // A whole dump may be one line. Then the beginning is enough.
    let mut bytes = Vec::new();
    reader.take(4 * MAX_STATEMENT as u64).read_until(b'\n', &mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    (line > 0 && !bytes.is_empty()).then(|| text.chars().take(MAX_STATEMENT).collect())
}

/// The longest command of a text for Redis, in bytes. A command is held in memory as a whole.
const MAX_COMMAND: usize = 16 * 1024 * 1024;

/// Adds a piece to the unfinished line in `rest` and returns the complete lines. Without a piece, at the end of the
/// file, returns everything that is left.
fn whole_lines(rest: &mut Vec<u8>, piece: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let Some(piece) = piece else { return Ok(std::mem::take(rest)) };
    let end = piece.iter().rposition(|byte| *byte == b'\n').map(|at| rest.len() + at + 1);
    rest.extend_from_slice(piece);
    let whole = end.map_or_else(Vec::new, |end| rest.drain(..end).collect());
    if rest.len() > MAX_COMMAND {
        return Err(format!("the line is longer than {} MB, so this is no text of commands", MAX_COMMAND >> 20));
    }
    Ok(whole)
}

fn refused(seeding: &Seeding<'_>, seed: &Seed, path: &Path, at: Option<(usize, String)>, said: &str) -> Failure {
    let name = path.display();
    let mut diagnostic = Diagnostic::error("seed", format!("{} does not take {name}", seeding.service.name));
    diagnostic = diagnostic.at(&seed.origin, "this seed");
    if let Some((line, statement)) = at {
        diagnostic = diagnostic.because(format!("{name}:{line}: {statement}"));
    }
    for line in said.lines().take(12) {
        diagnostic = diagnostic.because(line.to_owned());
    }
    Failure::new(Exit::Failed, diagnostic.help("fix the file and run it again: nothing of this seed was kept"))
}

fn unreadable(seed: &Seed, path: &Path, error: &io::Error) -> Failure {
    let diagnostic = Diagnostic::error("seed-read", format!("cannot read the seed {}", path.display()));
    let diagnostic = diagnostic.at(&seed.origin, "this seed").because(error.to_string());
    Failure::new(Exit::Failed, diagnostic.help("check the file, and whether it was copied whole"))
}

/// Sends the commands of a text, one on each line, over the server's own protocol, because the server's client does not
/// report the line of an error.
async fn commands(seeding: &Seeding<'_>, seed: &Seed, path: &Path, done: &Arc<AtomicU64>) -> Result<(), Failure> {
    let Some(endpoint) = seeding.service.endpoints.first() else { return Ok(()) };
    let mut pieces = pieces(seeding.file(path), done);
    let mut session = protocol::RedisSession::open(endpoint).await.map_err(|error| lost(seeding, seed, &error))?;
    let (mut rest, mut number) = (Vec::new(), 0);
    loop {
        let piece = pieces.recv().await.transpose().map_err(|error| unreadable(seed, path, &error))?;
        let is_last = piece.is_none();
        let whole = whole_lines(&mut rest, piece.as_deref()).map_err(|error| {
            let begins = String::from_utf8_lossy(&rest[..MAX_STATEMENT.min(rest.len())]).into_owned();
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
    let diagnostic = Diagnostic::error("seed", format!("{} went away while it was seeded", seeding.service.name));
    let diagnostic = diagnostic.at(&seed.origin, "this seed").because(error.message.clone());
    Failure::new(Exit::Failed, diagnostic.help("its memory may be too small for it: `settings: {maxmemory: …}`"))
}

/// Puts a dump in the place of the server's own dump and makes the server load it.
async fn reload(seeding: &Seeding<'_>, seed: &Seed, path: &Path, done: &Arc<AtomicU64>) -> Result<(), Failure> {
    let Some(endpoint) = seeding.service.endpoints.first() else { return Ok(()) };
    let mut session = protocol::RedisSession::open(endpoint).await.map_err(|error| lost(seeding, seed, &error))?;
    let place = session.dump_path().await.map_err(|error| lost(seeding, seed, &error))?;
    // The script runs in the server's container and gives the file the owner of its folder, so that the server can read
    // the file.
    let script = r#"cat >"$1.seed" && chown --reference="$(dirname "$1")" "$1.seed" && mv "$1.seed" "$1""#;
    through(seeding, seed, path, &["sh", "-c", script, "sh", &place], done).await?;
    match session.reload().await.map_err(|error| lost(seeding, seed, &error))? {
        None => Ok(()),
        Some(error) => Err(refused(seeding, seed, path, None, &error)),
    }
}

/// The failure of a seed command, for callers that run such commands.
pub fn command_failed(service: &str, seed: &Seed, origin: &Origin, why: &str, said: &[String]) -> Failure {
    let mut diagnostic = Diagnostic::error("seed-command", format!("the seed command of {service} failed"))
        .at(origin, "this seed")
        .because(format!("`{}` {why}", seed.source.name()));
    for line in said {
        diagnostic = diagnostic.because(line.clone());
    }
    Failure::new(Exit::Failed, diagnostic.help("fix it and run it again: nothing of this seed was kept"))
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
    fn the_type_of_a_file_is_found_by_its_bytes_compressed_or_not() {
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
        let refused = (0..=MAX_COMMAND / CHUNK).find_map(|_| whole_lines(&mut rest, Some(&piece)).err());
        assert!(refused.is_some_and(|error| error.contains("16 MB")) && rest.len() <= MAX_COMMAND + CHUNK);
        let long = file(&vec![b'y'; 4 * CHUNK]);
        assert_eq!(line_of(long.reopen().unwrap(), 1).unwrap().len(), MAX_STATEMENT);
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
        assert!(last.unwrap().is_err(), "a truncated file is reported");
    }
}
