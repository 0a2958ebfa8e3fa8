//! The deadlines for the engine's answers, and the functions that wait for these answers.
//!
//! A question has one deadline. Work (a start, a pull, an archive) may take longer. While work gives no result, the
//! engine is pinged from time to time, to distinguish an engine that hangs from an engine that is slow.

use super::{Engine, EngineError};
use bollard::errors::Error;
use futures_util::stream::{Stream, StreamExt as _};
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// An engine that does not answer a question within this time hangs.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// For work whose end depends on something else: a container, or a log that is followed.
pub(super) const NO_TIMEOUT: Duration = Duration::from_hours(24 * 365);

/// How long to wait for the engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// For the complete answer to a question.
    pub(super) answer: Duration,
    /// How long work may give no result until the engine is pinged.
    pub(super) check: Duration,
    /// For work without a deadline of its own, as long as the engine answers pings.
    pub(super) work: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { answer: ANSWER_TIMEOUT, check: Duration::from_secs(3), work: Duration::from_mins(2) }
    }
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// The engine hangs: it did not answer within this time.
    Silent(Duration),
    /// The engine answers pings, but did not finish its work within this time.
    Slow(Duration),
}

impl NoAnswer {
    pub(super) fn text(self) -> String {
        match self {
            Self::Silent(within) => format!("it gave no complete answer within {}", words(within)),
            Self::Slow(within) => format!("it still answers, and has not done this within {}", words(within)),
        }
    }
}

fn words(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{} s", time.as_secs()) } else { format!("{} ms", time.as_millis()) }
}

// The futures of bollard's calls are large. Each is boxed, so that it does not enlarge the future of every caller.
impl Engine {
    /// Asks a question. An answer that is not complete within [`Deadlines::answer`] is an error.
    pub(super) fn ask<T>(
        &self,
        operation: impl Into<String>,
        call: impl Future<Output = Result<T, Error>>,
    ) -> impl Future<Output = Result<T, EngineError>> {
        let (within, call, operation) = (self.deadlines.answer, Box::pin(call), operation.into());
        async move {
            match timeout(within, call).await {
                Ok(answered) => answered.map_err(|error| EngineError::read(operation, &error)),
                Err(_) => Err(EngineError::unanswered(operation, NoAnswer::Silent(within))),
            }
        }
    }

    /// Lets the engine do work, which may take up to [`Deadlines::work`].
    pub(super) fn work<T>(
        &self,
        operation: impl Into<String>,
        call: impl Future<Output = Result<T, Error>>,
    ) -> impl Future<Output = Result<T, EngineError>> {
        self.work_within(self.deadlines.work, operation, call)
    }

    /// Lets the engine do work, which may take up to `limit`.
    pub(super) fn work_within<T>(
        &self,
        limit: Duration,
        operation: impl Into<String>,
        call: impl Future<Output = Result<T, Error>>,
    ) -> impl Future<Output = Result<T, EngineError>> {
        let (watched, operation) = (self.watched(limit, call), operation.into());
        async move {
            match watched.await {
                Ok(done) => done.map_err(|error| EngineError::read(operation, &error)),
                Err(why) => Err(EngineError::unanswered(operation, why)),
            }
        }
    }

    /// The next piece of a long answer. It must arrive at most `limit` after the piece before it.
    pub(super) async fn next_piece<T>(
        &self,
        limit: Duration,
        operation: &str,
        pieces: &mut (impl Stream<Item = Result<T, Error>> + Unpin),
    ) -> Option<Result<T, EngineError>> {
        match self.watched(limit, pieces.next()).await {
            Ok(piece) => piece.map(|piece| piece.map_err(|error| EngineError::read(operation, &error))),
            Err(why) => Some(Err(EngineError::unanswered(operation, why))),
        }
    }

    /// Waits for work of the engine as long as the engine answers pings, and at most for `limit`.
    pub(super) fn watched<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = T>,
    ) -> impl Future<Output = Result<T, NoAnswer>> {
        let call = Box::pin(call);
        async move {
            tokio::select! {
                biased;
                done = call => Ok(done),
                why = self.until_hopeless(limit) => Err(why),
            }
        }
    }

    /// Ends when the engine does not answer a ping, or after `limit`.
    async fn until_hopeless(&self, limit: Duration) -> NoAnswer {
        let Deadlines { answer, check, .. } = self.deadlines;
        let until = Instant::now() + limit;
        loop {
            let next = Instant::now() + check;
            tokio::time::sleep_until(next.min(until)).await;
            if next >= until {
                return NoAnswer::Slow(limit);
            }
            let ping = Box::pin(self.docker.ping());
            if timeout(answer.saturating_sub(check), ping).await.is_err() {
                return NoAnswer::Silent(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::docker::fake_engine::{Answer, FakeEngine};
    use crate::docker::{DockerEnv, Engine, EngineError, EngineFault, connect};
    use crate::model::{Exit, ImageRef};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::Deadlines;

    const SOON: Deadlines = Deadlines {
        answer: Duration::from_millis(60),
        check: Duration::from_millis(20),
        work: Duration::from_millis(120),
    };

    async fn connected(fake: &FakeEngine, deadlines: Deadlines) -> Engine {
        let engine = connect(Some(&fake.host()), &DockerEnv::default()).await.unwrap();
        Engine { deadlines, ..engine }
    }

    /// An engine that gives this answer to every request after the first ping.
    fn after_the_first_ping(answer: Answer) -> FakeEngine {
        let asked = AtomicUsize::new(0);
        FakeEngine::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::Ping("1.45"),
            _ => answer.clone(),
        })
    }

    fn assert_it_hangs(error: EngineError) {
        assert_eq!(error.kind, EngineFault::TimedOut, "{error}");
        assert_eq!(error.message, "it gave no complete answer within 60 ms");
        let operation = error.operation.clone();
        let failure = error.into_failure();
        assert_eq!(failure.exit, Exit::Engine);
        let diagnostic = &failure.diagnostics[0];
        assert_eq!(diagnostic.message, format!("the engine gave no answer when it was to {operation}"));
        assert!(diagnostic.help.iter().any(|help| help.contains("devenv doctor")), "{diagnostic:?}");
        assert!(diagnostic.help.iter().any(|help| help.contains("restart")), "{diagnostic:?}");
    }

    #[tokio::test]
    async fn an_engine_that_stops_answering_ends_every_question_and_all_work_at_the_deadline() {
        for answer in [Answer::Silence, Answer::Unfinished("[{\"Id\":".to_owned())] {
            let has_begun = !matches!(answer, Answer::Silence);
            let fake = after_the_first_ping(answer);
            let engine = connected(&fake, SOON).await;
            let image = ImageRef::parse("postgres:16").unwrap();
            assert_it_hangs(engine.observe(&[image]).await.unwrap_err());
            assert_it_hangs(engine.container_state("db").await.unwrap_err());
            assert_it_hangs(engine.facts().await.unwrap_err());
            assert_it_hangs(engine.log_tail("db", 5).await.unwrap_err());
            // These calls need only the beginning of an answer.
            if !has_begun {
                assert_it_hangs(engine.wait_exit("db").await.unwrap_err());
                assert_it_hangs(engine.start("db").await.unwrap_err());
                assert_it_hangs(engine.stop("db", None).await.unwrap_err());
                assert_it_hangs(engine.remove_volume("db").await.unwrap_err());
            }
        }
    }

    #[tokio::test]
    async fn an_engine_that_is_slow_and_answers_meanwhile_is_waited_for() {
        let pings = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&pings);
        let fake = FakeEngine::start(move |request| {
            if request.path.ends_with("/_ping") {
                seen.fetch_add(1, Ordering::SeqCst);
                return Answer::Ping("1.45");
            }
            while seen.load(Ordering::SeqCst) < 4 {
                std::thread::yield_now();
            }
            Answer::status(204, "")
        });
        let patient = Duration::from_mins(1);
        let deadlines = Deadlines { answer: patient, check: Duration::from_millis(1), work: patient };
        connected(&fake, deadlines).await.start("db").await.unwrap();
        assert!(pings.load(Ordering::SeqCst) >= 4);
    }

    #[tokio::test]
    async fn work_that_never_ends_is_given_up_though_the_engine_answers() {
        let fake =
            FakeEngine::start(
                |request| {
                    if request.path.ends_with("/_ping") { Answer::Ping("1.45") } else { Answer::Silence }
                },
            );
        let deadlines = Deadlines { answer: Duration::from_mins(1), ..SOON };
        let error = connected(&fake, deadlines).await.start("db").await.unwrap_err();
        assert_eq!(error.kind, EngineFault::TimedOut);
        assert_eq!(error.message, "it still answers, and has not done this within 120 ms");
    }
}
