//! What containers wrote to their standard output and error, line by line.

use super::fault::brief;
use super::{Engine, EngineError};
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::query_parameters::LogsOptions;
use futures_util::stream::{self, Stream, StreamExt as _};
use std::collections::VecDeque;
use std::pin::Pin;

/// Which lines are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogRequest {
    /// Goes on with new lines until the container ends.
    pub follow: bool,
    /// Only so many of the newest lines that are there; none is all.
    pub tail: Option<usize>,
}

/// One line of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The service.
    pub service: String,
    /// The line, without its end; bytes that are no UTF-8 are replaced.
    pub text: String,
    /// Whether it came on standard error.
    pub on_stderr: bool,
}

impl Engine {
    /// The newest lines of a container, oldest first.
    pub async fn log_tail(&self, id: &str, lines: usize) -> Result<Vec<String>, EngineError> {
        let request = LogRequest { follow: false, tail: Some(lines) };
        let mut read = Box::pin(self.log_of(String::new(), id.to_owned(), request));
        let mut texts = VecDeque::new();
        while let Some(line) = read.next().await {
            texts.push_back(line?.text);
            // Engines count what was written at once as one line, however many line ends are in it.
            if texts.len() > lines {
                texts.pop_front();
            }
        }
        Ok(texts.into())
    }

    /// The lines of several containers, each given as service and id, as they come in.
    pub fn logs(
        &self,
        containers: &[(String, String)],
        request: LogRequest,
    ) -> impl Stream<Item = Result<LogLine, EngineError>> + Unpin + use<> {
        let streams = containers.iter().map(|(service, id)| self.log_of(service.clone(), id.clone(), request).boxed());
        stream::select_all(streams.collect::<Vec<_>>())
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
            tail: request.tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string()),
            ..Default::default()
        };
        let output = self.docker.logs(&id, Some(options)).boxed();
        let reading = Reading { service, id, output, lines: Lines::default(), ready: VecDeque::new() };
        stream::unfold(Some(reading), |reading| async { next_line(reading?).await })
    }
}

struct Reading {
    service: String,
    id: String,
    output: Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>,
    lines: Lines,
    ready: VecDeque<(bool, String)>,
}

/// The next line and where to go on from; no way on after the end or an error.
async fn next_line(mut reading: Reading) -> Option<(Result<LogLine, EngineError>, Option<Reading>)> {
    loop {
        if let Some((on_stderr, text)) = reading.ready.pop_front() {
            let line = LogLine { service: reading.service.clone(), text, on_stderr };
            return Some((Ok(line), Some(reading)));
        }
        match reading.output.next().await {
            Some(Ok(output)) => {
                let on_stderr = matches!(output, LogOutput::StdErr { .. });
                reading.ready.extend(reading.lines.push(on_stderr, &output.into_bytes()));
            }
            Some(Err(error)) => {
                let error = EngineError::read(format!("read the log of the container {}", brief(&reading.id)), &error);
                return Some((Err(error), None));
            }
            None => {
                reading.ready.extend(reading.lines.rest());
                if reading.ready.is_empty() {
                    return None;
                }
            }
        }
    }
}

/// Puts lines together from pieces: an engine cuts long lines, and two streams are mixed.
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
