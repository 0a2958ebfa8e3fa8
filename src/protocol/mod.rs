//! How devenv talks to services: it logs in, does one round trip, and creates everything that a login needs.
//!
//! Each protocol has one file. Every function is bounded by its caller's deadline. No function waits for a server to
//! come up: a refused connection is an error at once, and `apply/` makes further attempts.

mod amqp;
mod facts;
mod http;
mod memcached;
mod mysql;
#[cfg(test)]
mod peer;
mod postgres;
mod probe;
mod reconciled;
mod redact;
mod redis;
mod refusal;
mod target;
mod tcp;
mod tls;
mod wire;

use crate::model::{Endpoint, Protocol, ServiceFacts, Wanted};
pub use amqp::note_rabbitmqctl;
pub use probe::{Fault, ProbeError, Proof};
pub use reconciled::{Done, ReconcileError, Subject};
use redact::Used;
pub use redis::{RedisSession, redis_words};
use std::time::Duration;
pub use target::Target;
pub use tls::{ChannelBinding, ClearText, Tls, TlsMode, Versions};
use tokio::time::timeout;

/// The time limit of one attempt, so that a silent peer does not use up the whole deadline.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The time limit for a server to report all its facts.
const FACTS_TIMEOUT: Duration = Duration::from_secs(30);

/// The time limit for a server to write its memory to disk.
const SAVE_TIMEOUT: Duration = Duration::from_mins(2);

/// Logs in over the endpoint with exactly its credentials, and does one round trip.
///
/// Takes at most 5 s. After a fault of [`Fault::NotYet`], another attempt can succeed. While a server initialises
/// itself for the first time, another attempt can also succeed after [`Fault::Login`].
pub async fn prove(protocol: Protocol, endpoint: &Endpoint) -> Result<Proof, ProbeError> {
    prove_within(ATTEMPT_TIMEOUT, protocol, endpoint).await
}

async fn prove_within(bound: Duration, protocol: Protocol, endpoint: &Endpoint) -> Result<Proof, ProbeError> {
    let proof = async {
        match protocol {
            Protocol::Postgres => postgres::prove(endpoint).await,
            Protocol::Mysql => mysql::prove(endpoint).await,
            Protocol::Redis => redis::prove(endpoint).await,
            Protocol::Amqp => amqp::prove(endpoint).await,
            Protocol::Memcached => memcached::prove(endpoint).await,
            Protocol::Http => http::prove(endpoint).await,
            Protocol::Tcp => tcp::prove(endpoint).await,
        }
    };
    within(bound, proof).await.map_err(|error| Used::of([endpoint]).redact(error))
}

/// Creates everything that the apps' logins need, through the administrator's login, and returns the changes; the list
/// is empty if no change was necessary. Nothing is ever dropped, and several processes may reconcile at once.
///
/// Only for protocols with [`Protocol::has_administrator`]: `RabbitMQ` imports its definitions on every boot
/// (`kinds::rabbitmq_definitions`), Redis reads its configuration, and the other protocols have no logins.
pub async fn reconcile(protocol: Protocol, admin: &Endpoint, wanted: &Wanted) -> Result<Vec<Done>, ReconcileError> {
    let reconciled = match protocol {
        Protocol::Postgres => postgres::reconcile(admin, wanted).await,
        Protocol::Mysql => mysql::reconcile(admin, wanted).await,
        Protocol::Redis | Protocol::Amqp | Protocol::Memcached | Protocol::Http | Protocol::Tcp => Ok(Vec::new()),
    };
    reconciled.map_err(|failed| redacted(failed, &[admin], wanted))
}

fn redacted(failed: ReconcileError, logins: &[&Endpoint], wanted: &Wanted) -> ReconcileError {
    let used = Used::of(logins.iter().copied()).and(wanted);
    ReconcileError { error: used.redact(failed.error), ..failed }
}

/// Sets the administrator's password in data that was taken over from another environment, whose password the login
/// still has, and reconciles.
///
/// Has an effect only for protocols for which [`reconcile`] has one.
pub async fn take_over(
    protocol: Protocol,
    inherited: &Endpoint,
    admin: &Endpoint,
    wanted: &Wanted,
) -> Result<Vec<Done>, ReconcileError> {
    let taken = async {
        match protocol {
            Protocol::Postgres => postgres::take_over(inherited, admin, wanted).await,
            Protocol::Mysql => {
                within(ATTEMPT_TIMEOUT, mysql::take_over(inherited, admin)).await?;
                mysql::reconcile(admin, wanted).await
            }
            Protocol::Redis | Protocol::Amqp | Protocol::Memcached | Protocol::Http | Protocol::Tcp => Ok(Vec::new()),
        }
    };
    taken.await.map_err(|failed| redacted(failed, &[inherited, admin], wanted))
}

/// Makes the server write its memory to disk, if the server would not do so when it stops: only Redis. Takes at most
/// two minutes, because there can be as much data as the memory holds.
pub async fn save(protocol: Protocol, endpoint: &Endpoint) -> Result<(), ProbeError> {
    let saved = match protocol {
        Protocol::Redis => within(SAVE_TIMEOUT, redis::save(endpoint)).await,
        Protocol::Postgres
        | Protocol::Mysql
        | Protocol::Amqp
        | Protocol::Memcached
        | Protocol::Http
        | Protocol::Tcp => Ok(()),
    };
    saved.map_err(|error| Used::of([endpoint]).redact(error))
}

/// Asks a server for its facts, and changes nothing: Postgres and `MySQL` in read-only transactions, the others with
/// requests that only read.
///
/// [`ServiceFacts::not_asked`] names the topics that the server does not report to this login. Takes at most 30 s.
/// Servers of [`Protocol::Http`] and [`Protocol::Tcp`] have no common way to report facts: the result is an error of
/// [`Fault::Other`].
pub async fn facts(target: &Target) -> Result<ServiceFacts, ProbeError> {
    let asked = async {
        match target.protocol {
            Protocol::Postgres => postgres::facts(&target.endpoint, &target.tls).await,
            Protocol::Mysql => mysql::facts(&target.endpoint, &target.tls).await,
            Protocol::Redis => redis::facts(&target.endpoint, &target.tls).await,
            Protocol::Amqp => amqp::facts(target).await,
            Protocol::Memcached => memcached::facts(&target.endpoint, &target.tls).await,
            Protocol::Http | Protocol::Tcp => {
                Err(ProbeError::other("its protocol has no common way for a server to say what it is"))
            }
        }
    };
    let used = Used::of([&target.endpoint].into_iter().chain(&target.management));
    let mut facts = within(FACTS_TIMEOUT, asked).await.map_err(|error| used.redact(error))?;
    for why in facts.not_asked.values_mut() {
        *why = used.taken_out_of(why);
    }
    Ok(facts)
}

async fn within<T, E: From<ProbeError>>(bound: Duration, probe: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let silence = || ProbeError::not_yet(format!("no answer within {} s", bound.as_secs_f32()));
    timeout(bound, probe).await.unwrap_or_else(|_| Err(silence().into()))
}

#[cfg(test)]
mod tests {
    use super::peer::{Peer, endpoint_of, nobody};
    use super::*;

    #[tokio::test]
    async fn probing_can_be_spawned() {
        fn sendable<T: Send>(_: &T) {}
        let (endpoint, wanted) = (nobody().await, Wanted::default());
        let (proof, reconciled) =
            (prove(Protocol::Postgres, &endpoint), reconcile(Protocol::Postgres, &endpoint, &wanted));
        sendable(&proof);
        sendable(&reconciled);
        assert_eq!(reconciled.await.unwrap_err().error.fault, Fault::NotYet);
    }

    #[tokio::test]
    async fn a_silent_peer_is_given_up_and_worth_another_try() {
        let peer = Peer::silent().await;
        let with_answers = [Protocol::Postgres, Protocol::Mysql, Protocol::Redis, Protocol::Amqp, Protocol::Memcached];
        for protocol in with_answers.into_iter().chain([Protocol::Http]) {
            let error = prove_within(Duration::from_millis(50), protocol, &endpoint_of(&peer)).await.unwrap_err();
            assert_eq!(error, ProbeError::not_yet("no answer within 0.05 s"), "{protocol:?}");
        }
    }
}
