//! What containers write to their output.

use super::Engine;
use super::fault::EngineError;
use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures_util::stream::{self, BoxStream, StreamExt};

impl Engine {
    /// The last lines of a container's log, oldest first.
    pub async fn log_tail(&self, id: &str, lines: usize) -> Result<Vec<String>, EngineError> {
        let mut found = Vec::new();
        let mut stream = self.lines(id.to_owned(), lines, false);
        while let Some(line) = stream.next().await {
            found.push(line?);
        }
        let more = found.len().saturating_sub(lines);
        Ok(found.split_off(more))
    }

    /// Lines of several containers (`(service, id)`), each with its service; with `follow`, as they come.
    pub fn logs(
        &self,
        containers: &[(String, String)],
        tail: usize,
        follow: bool,
    ) -> BoxStream<'static, Result<(String, String), EngineError>> {
        let streams = containers.iter().map(|(service, id)| {
            let service = service.clone();
            self.lines(id.clone(), tail, follow).map(move |line| Ok((service.clone(), line?)))
        });
        let streams: Vec<_> = streams.collect();
        if follow { stream::select_all(streams).boxed() } else { stream::iter(streams).flatten().boxed() }
    }

    fn lines(&self, id: String, tail: usize, follow: bool) -> BoxStream<'static, Result<String, EngineError>> {
        let options = LogsOptions { follow, stdout: true, stderr: true, tail: tail.to_string(), ..Default::default() };
        let docker = self.docker.clone();
        let pieces = docker.logs(&id, Some(options)).boxed();
        // A piece may hold several lines or a part of one; the rest of the last one waits for the next piece.
        stream::unfold((pieces, Vec::<u8>::new(), false), |(mut pieces, mut rest, mut ended)| async move {
            loop {
                if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    return Some((Ok(text(&line)), (pieces, rest, ended)));
                }
                if ended {
                    let line = std::mem::take(&mut rest);
                    return (!line.is_empty()).then(|| (Ok(text(&line)), (pieces, rest, ended)));
                }
                match pieces.next().await {
                    Some(Ok(piece)) => rest.extend_from_slice(&bytes(piece)),
                    Some(Err(error)) => {
                        let error = EngineError::new("read the log", &error);
                        return Some((Err(error), (stream::empty().boxed(), Vec::new(), true)));
                    }
                    None => ended = true,
                }
            }
        })
        .boxed()
    }
}

fn bytes(piece: LogOutput) -> Vec<u8> {
    match piece {
        LogOutput::StdErr { message }
        | LogOutput::StdOut { message }
        | LogOutput::StdIn { message }
        | LogOutput::Console { message } => message.to_vec(),
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned()
}
