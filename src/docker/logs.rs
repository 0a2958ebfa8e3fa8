//! The lines that containers wrote to their standard output and error.

use super::deadline::NO_TIMEOUT;
use super::fault::brief;
use super::{Engine, EngineError};
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::query_parameters::LogsOptions;
use futures_util::future;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::time::Duration;

/// The lines to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LogRequest {
    /// Whether to follow new lines until the container ends.
    follow: bool,
    /// How many of the newest existing lines to read. None means all.
    tail: Option<usize>,
    /// Only lines that were written in this second or later, in seconds since 1970.
    since: Option<i32>,
}

/// One line of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The service.
    pub service: String,
    /// When it was written, as RFC 3339 in UTC with nine decimal places of the second, so that texts sort as times do.
    /// Empty if the engine does not say.
    pub time: String,
    /// The line, without its line end. Bytes that are not UTF-8 are replaced.
    pub text: String,
    /// Whether it came on standard error.
    pub on_stderr: bool,
}

impl Engine {
    /// The newest lines of a container, oldest first.
    pub async fn log_tail(&self, id: &str, lines: usize) -> Result<Vec<String>, EngineError> {
        let request = LogRequest { tail: Some(lines), ..LogRequest::default() };
        let mut read = Box::pin(self.log_of(String::new(), id.to_owned(), request));
        let mut texts = VecDeque::new();
        while let Some(line) = read.next().await {
            texts.push_back(line?.text);
            // Engines count one write as one line, however many line ends it contains.
            if texts.len() > lines {
                texts.pop_front();
            }
        }
        Ok(texts.into())
    }

    /// The lines of several containers, each given as service and id, in order of time.
    pub fn logs(&self, containers: &[(String, String)], tail: Option<usize>) -> LogLines {
        let request = LogRequest { tail, ..LogRequest::default() };
        let streams = containers.iter().map(|(service, id)| self.log_of(service.clone(), id.clone(), request).boxed());
        let waiting: Vec<(Option<LogLine>, LogLines)> = streams.map(|stream| (None, stream)).collect();
        stream::unfold(waiting, |waiting| async { earliest(waiting).await }).boxed()
    }

    /// The new lines of several containers, as they arrive. `known` has, for each service, the time of the last known
    /// line.
    pub fn further_logs(&self, containers: &[(String, String)], known: &BTreeMap<String, String>) -> LogLines {
        let streams = containers.iter().map(|(service, id)| {
            let last = known.get(service).cloned().unwrap_or_default();
            let request = LogRequest { follow: true, tail: None, since: seconds(&last) };
            let is_new = move |line: &Result<LogLine, EngineError>| {
                future::ready(line.as_ref().map_or(true, |line| line.time.is_empty() || line.time > last))
            };
            self.log_of(service.clone(), id.clone(), request).filter(is_new).boxed()
        });
        stream::select_all(streams.collect::<Vec<_>>()).boxed()
    }

    fn log_of(
        &self,
        service: String,
        id: String,
        request: LogRequest,
    ) -> impl Stream<Item = Result<LogLine, EngineError>> + Send + use<> {
        let options = LogsOptions {
            follow: request.follow,
            stdout: true,
            stderr: true,
            timestamps: true,
            since: request.since.unwrap_or_default(),
            tail: request.tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string()),
            ..Default::default()
        };
        let output = self.docker.logs(&id, Some(options)).boxed();
        // A container may write nothing for any time.
        let most = if request.follow { NO_TIMEOUT } else { self.deadlines.answer };
        let (engine, lines, time) = (self.clone(), Lines::default(), String::new());
        let reading = Reading { engine, most, service, id, output, lines, time, ready: VecDeque::new() };
        stream::unfold(Some(reading), |reading| async { next_line(reading?).await })
    }
}

struct Reading {
    engine: Engine,
    /// How long the next piece may take.
    most: Duration,
    service: String,
    id: String,
    output: Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>,
    lines: Lines,
    /// When the last piece was written.
    time: String,
    ready: VecDeque<(bool, String)>,
}

/// A stream of lines.
pub type LogLines = BoxStream<'static, Result<LogLine, EngineError>>;

/// The earliest of the next lines of several streams. A fault is returned at once.
async fn earliest(
    mut waiting: Vec<(Option<LogLine>, LogLines)>,
) -> Option<(Result<LogLine, EngineError>, Vec<(Option<LogLine>, LogLines)>)> {
    let mut at = 0;
    while let Some((next, stream)) = waiting.get_mut(at) {
        if next.is_none() {
            match stream.next().await {
                Some(Ok(line)) => *next = Some(line),
                Some(Err(error)) => return Some((Err(error), waiting)),
                None => {
                    drop(waiting.remove(at));
                    continue;
                }
            }
        }
        at += 1;
    }
    let first = waiting.iter_mut().min_by(|(one, _), (other, _)| {
        let time = |line: &Option<LogLine>| line.as_ref().map(|line| line.time.clone());
        time(one).cmp(&time(other))
    });
    let line = first.and_then(|(next, _)| next.take())?;
    Some((Ok(line), waiting))
}

/// The whole seconds since 1970 of an engine's time. None if the text is no time, or if the time is after 2038.
fn seconds(time: &str) -> Option<i32> {
    let number = |range: std::ops::Range<usize>| time.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    // Days since 1970 by the civil calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_era = year.rem_euclid(400);
    let days = year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day
        - 1
        - 719_468;
    let of_day = number(11..13)? * 3_600 + number(14..16)? * 60 + number(17..19)?;
    i32::try_from(days * 86_400 + of_day).ok()
}

/// The time that an engine writes before each piece, and the piece.
fn timed(bytes: &[u8]) -> (&str, &[u8]) {
    let is_time = |text: &&str| text.len() >= 20 && text.as_bytes()[10] == b'T' && text.ends_with('Z');
    let end = bytes.iter().take(40).position(|byte| *byte == b' ');
    let time = end.and_then(|end| std::str::from_utf8(&bytes[..end]).ok()).filter(is_time);
    time.map_or(("", bytes), |time| (time, &bytes[time.len() + 1..]))
}

/// The next line, and the state for the line after it. There is no further state after the end or an error.
async fn next_line(mut reading: Reading) -> Option<(Result<LogLine, EngineError>, Option<Reading>)> {
    loop {
        if let Some((on_stderr, text)) = reading.ready.pop_front() {
            let (service, time) = (reading.service.clone(), reading.time.clone());
            let line = LogLine { service, time, text, on_stderr };
            return Some((Ok(line), Some(reading)));
        }
        let operation = format!("read the log of the container {}", brief(&reading.id));
        match reading.engine.next_piece(reading.most, &operation, &mut reading.output).await {
            Some(Ok(output)) => {
                let on_stderr = matches!(output, LogOutput::StdErr { .. });
                let bytes = output.into_bytes();
                let (time, bytes) = timed(&bytes);
                if !time.is_empty() {
                    time.clone_into(&mut reading.time);
                }
                reading.ready.extend(reading.lines.push(on_stderr, bytes));
            }
            Some(Err(error)) => return Some((Err(error), None)),
            None => {
                reading.ready.extend(reading.lines.rest());
                if reading.ready.is_empty() {
                    return None;
                }
            }
        }
    }
}

/// Joins pieces to lines: an engine cuts long lines and mixes two streams.
#[derive(Default)]
struct Lines {
    out: Vec<u8>,
    err: Vec<u8>,
}

impl Lines {
    fn push(&mut self, on_stderr: bool, bytes: &[u8]) -> Vec<(bool, String)> {
        let open = if on_stderr { &mut self.err } else { &mut self.out };
        open.extend_from_slice(bytes);
        let Some(end) = open.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let rest = open.split_off(end + 1);
        let whole = std::mem::replace(open, rest);
        whole[..end].split(|byte| *byte == b'\n').map(|line| (on_stderr, text(line))).collect()
    }

    fn rest(&mut self) -> Vec<(bool, String)> {
        [(false, std::mem::take(&mut self.out)), (true, std::mem::take(&mut self.err))]
            .into_iter()
            .filter(|(_, line)| !line.is_empty())
            .map(|(on_stderr, line)| (on_stderr, text(&line)))
            .collect()
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(service: &str, time: &str) -> LogLine {
        LogLine { service: service.into(), time: time.into(), text: String::new(), on_stderr: false }
    }

    #[tokio::test]
    async fn lines_of_several_containers_come_in_order_of_time() {
        let of = |service: &'static str, times: [&'static str; 2]| {
            stream::iter(times.map(|time| Ok(line(service, time)))).boxed()
        };
        let db = of("db", ["2026-01-01T00:00:01Z", "2026-01-01T00:00:04Z"]);
        let cache = of("cache", ["2026-01-01T00:00:02Z", "2026-01-01T00:00:03Z"]);
        let all = stream::unfold(vec![(None, db), (None, cache)], |waiting| async { earliest(waiting).await });
        let services: Vec<String> = all.map(|line| line.unwrap().service).collect().await;
        assert_eq!(services, ["db", "cache", "cache", "db"]);
    }

    #[test]
    fn the_engine_s_time_is_taken_off_each_piece() {
        let stamped = b"2026-11-30T02:50:10.123456789Z hello world";
        assert_eq!(timed(stamped), ("2026-11-30T02:50:10.123456789Z", &b"hello world"[..]));
        assert_eq!(timed(b"hello world"), ("", &b"hello world"[..]));
        assert_eq!(seconds("1970-01-02T00:00:01.5Z"), Some(86_401));
        assert_eq!(seconds("2026-11-30T02:50:10.123456789Z"), Some(1_796_007_010));
        assert_eq!(seconds(""), None);
    }

    #[test]
    fn lines_are_put_together_from_pieces_of_two_streams() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(false, b"one\r\ntw"), [(false, "one".to_owned())]);
        assert_eq!(lines.push(true, b"\nwarning"), [(true, String::new())]);
        assert_eq!(lines.push(false, b"o\nthree\nfo"), [(false, "two".to_owned()), (false, "three".to_owned())]);
        assert_eq!(lines.push(false, b"\xff"), []);
        assert_eq!(lines.rest(), [(false, "fo\u{fffd}".to_owned()), (true, "warning".to_owned())]);
        assert_eq!(lines.rest(), []);
    }
}
