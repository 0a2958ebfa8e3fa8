//! The data that the modules exchange (declarations, plans, observations, messages): plain data, no IO.
//!
//! Every module may import this module; this module imports nothing of the crate.

mod branching;
mod bytes;
mod container;
mod diagnostic;
mod difference;
mod endpoint;
mod event;
mod facts;
mod history;
mod image;
mod layers;
mod lock;
mod managed_block;
mod observed;
mod oci;
mod origin;
mod overlaid;
mod protocol;
mod report;
mod requirement;
mod rights;
mod secret;
mod seed;
mod shell;
mod stack;
mod template;
mod tool;
mod version;
mod wanted;

pub use branching::Branching;
pub use container::{ContainerSpec, File, FileContent, LocalImage, Mount, Publish, VolumeSpec};
pub use diagnostic::{Diagnostic, Exit, Failure, Place, Reason, Severity, did_you_mean};
pub use difference::{Difference, Gap, Impact, Said, side};
pub use endpoint::Endpoint;
pub use event::{Event, PullProgress, ServiceState};
pub use facts::ServiceFacts;
pub use history::{Commit, History, Release, is_release};
pub use image::{ImageError, ImageRef};
pub use layers::{CloneMode, Owner, ParentSpec, upper_volume, volume_of};
pub use lock::{Lock, LockedService, RegistryContent, RegistryImage};
pub use managed_block::{BLOCK_END, BLOCK_START, unclosed_length, without_managed_block};
pub use observed::{
    BaseKey, Container, ContainerRole, Data, Entry, Head, Lease, Network, Observed, ObservedRecord, Parent, Record,
    RecordKind, Scope, ServiceContainer, Volume, VolumeRole,
};
pub use oci::{OciDocument, digest_of_bytes, digest_of_hash, platform_name, releases};
pub use origin::{Located, Origin, SourceFile};
pub use overlaid::{Change, Production};
pub use protocol::Protocol;
pub use report::{Fact, NotAsked, Report, ReportedService, Section, Verdict};
pub use requirement::{Requirement, Tilde};
pub use rights::Rights;
pub use secret::Secret;
pub use seed::{Seed, SeedSource};
pub use shell::{shell_word, shell_words};
pub use stack::{
    App, Credential, Database, EnvInput, InitFile, Key, Service, Setting, Source, Stack, Support, User, Value, Variable,
};
pub use template::{Json, Piece, Template};
pub use tool::{FoundTool, FoundTools, PackageFile, PinnedTool, Role, Strength, TOOLS, Tool};
pub use version::{Version, VersionClass};
pub use wanted::{Wanted, WantedDatabase, WantedUser};
