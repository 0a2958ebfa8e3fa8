//! Labels record on the engine what each resource of devenv is. No other module reads or writes labels.
//!
//! This release also reads the labels of earlier releases: a label keeps its name and its meaning. If the meaning has
//! to change, [`SCHEMA`] grows, and labels of older releases are still read.

use crate::model::{
    BaseKey, CloneMode, ContainerRole, Data, Entry, Head, Lease, Owner, Parent, Record, RecordKind, Scope,
    ServiceContainer, VolumeRole,
};
use std::collections::{BTreeMap, HashMap};

/// The schema that this release writes. Earlier builds wrote no number, which is 1, and no heads.
pub(super) const SCHEMA: u32 = 2;

/// Labels by name.
pub(super) type Labels = HashMap<String, String>;

/// The names of the labels.
pub mod label {
    /// The schema, which decides the meaning of the other labels.
    pub const SCHEMA: &str = "dev.devenv.schema";
    /// The environment's identity (`shop-3f9a12bc`).
    pub const ENVIRONMENT: &str = "dev.devenv.environment";
    /// The project's root folder on this machine. Every resource with this label belongs to devenv.
    pub const ROOT: &str = "dev.devenv.root";
    /// The service's name.
    pub const SERVICE: &str = "dev.devenv.service";
    /// The service's kind.
    pub const KIND: &str = "dev.devenv.kind";
    /// The declared version's number.
    pub const VERSION: &str = "dev.devenv.version";
    /// A keyed hash of everything that decides a container's configuration.
    pub const CONFIG: &str = "dev.devenv.config";
    /// The declaration of the container's service, sealed with the machine's key.
    pub const DECLARED: &str = "dev.devenv.declared";
    /// The published port on loopback. Volumes have this label too, so that the port survives `down`.
    pub const PORT: &str = "dev.devenv.port";
    /// On a service's volume: the sequence number of the head that named it first, if that is not 1.
    pub const GENERATION: &str = "dev.devenv.generation";
    /// On every resource of `devenv run --ephemeral`.
    pub const EPHEMERAL: &str = "dev.devenv.ephemeral";
    /// On the same resources: the owner, as a CI system names it, else the user.
    pub const OWNER: &str = "dev.devenv.owner";
    /// On the same resources: the CI job, else the process.
    pub const JOB: &str = "dev.devenv.job";
    /// On the same resources: when any user may remove them, in seconds since 1970.
    pub const EXPIRES: &str = "dev.devenv.expires";
    /// On a base, its record and the containers that build it: the base's name. These resources belong to no
    /// environment.
    pub const BASE: &str = "dev.devenv.base";
    /// On a base and on records: the public id of the key of the machine's user who created them.
    pub const MACHINE: &str = "dev.devenv.machine";
    /// On a volume that is layered on others: the layers, the nearest first (`volume`, `volume/upper`).
    pub const LAYERS: &str = "dev.devenv.layers";
    /// The clone mode: whether layers are mounted (`overlay`) or copied (`copy`). On volumes that are layered on
    /// others, and on records.
    pub const CLONE_MODE: &str = "dev.devenv.way";
    /// On a volume and on a base: owner, group and permission bits of the nearest layer's folder.
    pub const FOLDER: &str = "dev.devenv.folder";
    /// On a volume that began with the data of another environment: that environment. At first, the data has the login
    /// of that environment.
    pub const FROM: &str = "dev.devenv.from";
    /// On a service's volume, and on a head: the git branch to which the data belongs, if data follows git branches.
    pub const BRANCH: &str = "dev.devenv.branch";
    /// On a service's volume: a hash of the seeds from which its data was made.
    pub const SEEDS: &str = "dev.devenv.seeds";
    /// On the upper layer of an overlay volume: that volume's name.
    pub const UPPER_OF: &str = "dev.devenv.top";
    /// On a record: the environment that it is about.
    pub const RECORD_OF: &str = "dev.devenv.keeps";
    /// On a pin, the record that protects volumes from a prune.
    pub const PIN: &str = "dev.devenv.keeper";
    /// On the record of a snapshot: its name.
    pub const SNAPSHOT: &str = "dev.devenv.snapshot";
    /// On a head: its sequence number.
    pub const HEAD: &str = "dev.devenv.head";
    /// On a head: the data of each service, as JSON: `[{"service":…,"volumes":[…],"parent":…, …}]`.
    pub const ENTRIES: &str = "dev.devenv.entries";
    /// On a head: volumes that stay, though no service uses them.
    pub const KEPT: &str = "dev.devenv.kept";
    /// On the record of the user's choices for a checkout on the command line: the choices, with a keyed hash before
    /// them.
    pub const CHOICE: &str = "dev.devenv.choice";
    /// On a container that copies: the volume that is incomplete as long as this container exists.
    pub const FILLING: &str = "dev.devenv.filling";
    /// On an empty volume: the volume whose server has not been proven by a login yet.
    pub const UNPROVEN: &str = "dev.devenv.unproven";
    /// On a record: when it was written, in seconds since 1970.
    pub const WRITTEN: &str = "dev.devenv.written";
    /// On a record, followed by a service's name: the volume with the data of that service.
    pub const DATA: &str = "dev.devenv.data.";
}

/// The labels of a resource that belongs to a project or an environment and has no other role.
pub(super) fn of_scope(scope: &Scope) -> Labels {
    let mut labels = Written::new(&scope.root);
    labels.say(label::ENVIRONMENT, &scope.environment);
    labels.say(label::EPHEMERAL, if scope.ephemeral { "true" } else { "" });
    if let Some(lease) = &scope.lease {
        labels.say(label::OWNER, &lease.owner);
        labels.say(label::JOB, &lease.job);
        labels.say(label::EXPIRES, &lease.expires.to_string());
    }
    labels.0
}

/// The labels of a container that is no record.
pub(super) fn of_container(scope: &Scope, role: &ContainerRole) -> Labels {
    let mut labels = Written(of_scope(scope));
    match role {
        ContainerRole::Service(one) => {
            labels.say(label::SERVICE, &one.service);
            labels.say(label::KIND, &one.kind);
            labels.say(label::VERSION, &one.version);
            labels.say(label::CONFIG, &one.config);
            labels.say(label::PORT, &number(one.port));
            labels.say(label::DECLARED, one.declared.as_deref().unwrap_or_default());
        }
        ContainerRole::Making(key) => labels.base(key),
        ContainerRole::Filling(volume) => labels.say(label::FILLING, volume),
        ContainerRole::Helper => {}
    }
    labels.0
}

/// The labels of a volume.
pub(super) fn of_volume(scope: &Scope, role: &VolumeRole) -> Labels {
    let mut labels = Written(of_scope(scope));
    match role {
        VolumeRole::Data(data) => {
            labels.say(label::SERVICE, &data.service);
            labels.say(label::KIND, &data.kind);
            labels.say(label::VERSION, &data.version);
            labels.say(label::PORT, &number(data.port));
            labels
                .say(label::GENERATION, &if data.generation > 1 { data.generation.to_string() } else { String::new() });
            labels.say(label::BRANCH, &data.branch);
            labels.say(label::SEEDS, &data.seeds);
            labels.say(label::FROM, data.from.as_deref().unwrap_or_default());
            if let Some(parent) = &data.parent {
                labels.parent(parent);
            }
        }
        VolumeRole::Upper(scope) => labels.say(label::UPPER_OF, scope),
        VolumeRole::Base(key) => labels.base(key),
        VolumeRole::Unproven(scope) => labels.say(label::UNPROVEN, scope),
        VolumeRole::Helper => {}
    }
    labels.0
}

/// The labels of a record that is written at `now`, in seconds since 1970.
pub(super) fn of_record(record: &Record, now: i64) -> Labels {
    // Earlier builds named the environment of a record in a label of its own, so that no record is taken for a service's volume.
    let mut labels = Written(of_scope(&Scope { environment: String::new(), ..record.scope.clone() }));
    labels.say(label::WRITTEN, &now.to_string());
    labels.say(label::RECORD_OF, &record.scope.environment);
    labels.say(label::MACHINE, &record.machine);
    labels.say(label::CLONE_MODE, &record.clone_mode.map(|clone_mode| clone_mode.to_string()).unwrap_or_default());
    for (service, volume) in &record.data {
        labels.0.insert(format!("{}{service}", label::DATA), volume.clone());
    }
    match &record.kind {
        RecordKind::Snapshot(name) => labels.say(label::SNAPSHOT, name),
        RecordKind::Head(head) => {
            labels.say(label::HEAD, &head.sequence.to_string());
            labels.say(label::BRANCH, &head.branch);
            labels.say(label::ENTRIES, &entries_text(&head.entries));
            labels.say(label::KEPT, &head.kept.join(","));
        }
        RecordKind::Pin => labels.say(label::PIN, "true"),
        RecordKind::Choice(text) => {
            labels.0.insert(label::CHOICE.to_owned(), text.clone());
        }
        RecordKind::Base { base, parent } => {
            labels.say(label::BASE, base);
            labels.parent(parent);
        }
    }
    labels.0
}

fn entries_text(entries: &[Entry]) -> String {
    let entry = |one: &Entry| {
        serde_json::json!({
            "service": one.service,
            "kind": one.kind,
            "version": one.version,
            "sequence": one.sequence,
            "volumes": one.volumes,
            "parent": one.parent,
            "requested": one.requested,
        })
    };
    entries.iter().map(entry).collect::<serde_json::Value>().to_string()
}

/// An entry that cannot be read names no volume.
fn entries_of(text: &str) -> Vec<Entry> {
    let entry = |one: &serde_json::Value| {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let volumes =
            one["volumes"].as_array().into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned()));
        let parent = one["parent"].as_str().map(str::to_owned);
        let (service, kind, version) = (text("service"), text("kind"), text("version"));
        let sequence = one["sequence"].as_u64().unwrap_or_default();
        let requested = one["requested"].as_bool().unwrap_or_default();
        Entry { service, kind, version, sequence, volumes: volumes.collect(), parent, requested }
    };
    let all: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    all.as_array().into_iter().flatten().map(entry).collect()
}

struct Written(Labels);

impl Written {
    fn new(root: &str) -> Self {
        let mut labels = Self(HashMap::from([(label::SCHEMA.to_owned(), SCHEMA.to_string())]));
        labels.say(label::ROOT, root);
        labels
    }

    /// Adds a label, unless its value is empty.
    fn say(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.0.insert(key.to_owned(), value.to_owned());
        }
    }

    fn base(&mut self, key: &BaseKey) {
        self.say(label::BASE, &key.base);
        self.say(label::MACHINE, &key.machine);
    }

    fn parent(&mut self, parent: &Parent) {
        self.say(label::LAYERS, &parent.layers.join(","));
        self.say(label::CLONE_MODE, &parent.clone_mode.to_string());
        self.say(label::FOLDER, &parent.folder.map(|owner| owner.to_string()).unwrap_or_default());
    }
}

fn number(port: Option<u16>) -> String {
    port.map(|port| port.to_string()).unwrap_or_default()
}

/// A container with devenv's labels.
pub(super) enum ReadContainer {
    /// A record, without its name and its pinned volumes.
    Record(Record),
    /// Any other container.
    Other(Scope, ContainerRole),
}

/// Labels that were read from the engine.
pub(super) struct Read(BTreeMap<String, String>);

impl Read {
    pub(super) fn new(labels: Option<Labels>) -> Self {
        Self(labels.unwrap_or_default().into_iter().collect())
    }

    /// Whether they say what the volume is for.
    pub(super) fn has_role(&self) -> bool {
        self.volume() != VolumeRole::Helper || self.record().is_some()
    }

    /// The schema of the labels.
    pub(super) fn schema(&self) -> u32 {
        self.get(label::SCHEMA).parse().unwrap_or(1)
    }

    fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    fn text(&self, key: &str) -> String {
        self.get(key).to_owned()
    }

    fn some(&self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The project and environment that the resource belongs to.
    pub(super) fn scope(&self) -> Scope {
        let lease = self.get(label::EXPIRES).parse().ok().map(|expires| Lease {
            owner: self.text(label::OWNER),
            job: self.text(label::JOB),
            expires,
        });
        Scope {
            root: self.text(label::ROOT),
            environment: self.text(label::ENVIRONMENT),
            ephemeral: self.has(label::EPHEMERAL),
            lease,
        }
    }

    /// The record that a container is, or the container's role.
    pub(super) fn container(&self) -> ReadContainer {
        if let Some(record) = self.record() {
            return ReadContainer::Record(record);
        }
        let role = if self.has(label::SERVICE) {
            ContainerRole::Service(ServiceContainer {
                service: self.text(label::SERVICE),
                kind: self.text(label::KIND),
                version: self.text(label::VERSION),
                config: self.text(label::CONFIG),
                port: self.get(label::PORT).parse().ok(),
                declared: self.some(label::DECLARED),
            })
        } else if self.has(label::FILLING) {
            ContainerRole::Filling(self.text(label::FILLING))
        } else if self.has(label::BASE) {
            ContainerRole::Making(self.base_key())
        } else {
            ContainerRole::Helper
        };
        ReadContainer::Other(self.scope(), role)
    }

    /// The role of a volume.
    pub(super) fn volume(&self) -> VolumeRole {
        if self.has(label::UPPER_OF) {
            VolumeRole::Upper(self.text(label::UPPER_OF))
        } else if self.has(label::UNPROVEN) {
            VolumeRole::Unproven(self.text(label::UNPROVEN))
        } else if self.has(label::BASE) {
            VolumeRole::Base(self.base_key())
        } else if self.has(label::SERVICE) {
            VolumeRole::Data(Data {
                service: self.text(label::SERVICE),
                kind: self.text(label::KIND),
                version: self.text(label::VERSION),
                port: self.get(label::PORT).parse().ok(),
                generation: self.get(label::GENERATION).parse().unwrap_or(1),
                branch: self.text(label::BRANCH),
                seeds: self.text(label::SEEDS),
                from: self.some(label::FROM),
                parent: self.parent(),
            })
        } else {
            VolumeRole::Helper
        }
    }

    fn base_key(&self) -> BaseKey {
        BaseKey { base: self.text(label::BASE), machine: self.text(label::MACHINE) }
    }

    fn parent(&self) -> Option<Parent> {
        let layers = self.list(label::LAYERS);
        let clone_mode = CloneMode::parse(self.get(label::CLONE_MODE)).unwrap_or(CloneMode::Copy);
        (!layers.is_empty()).then(|| Parent { layers, clone_mode, folder: Owner::parse(self.get(label::FOLDER)) })
    }

    fn list(&self, key: &str) -> Vec<String> {
        self.get(key).split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// When a record was written, if the labels say so.
    pub(super) fn written(&self) -> Option<i64> {
        self.get(label::WRITTEN).parse().ok()
    }

    /// The record, without its name and its pinned volumes. None if the labels are not those of a record.
    pub(super) fn record(&self) -> Option<Record> {
        let kind = if !self.has(label::RECORD_OF) {
            // A container that only helps to build a base has no label for a parent.
            RecordKind::Base { base: self.some(label::BASE)?, parent: self.parent()? }
        } else if self.has(label::SNAPSHOT) {
            RecordKind::Snapshot(self.text(label::SNAPSHOT))
        } else if self.has(label::HEAD) {
            RecordKind::Head(Head {
                branch: self.text(label::BRANCH),
                sequence: self.get(label::HEAD).parse().unwrap_or_default(),
                entries: entries_of(self.get(label::ENTRIES)),
                kept: self.list(label::KEPT),
            })
        } else if self.has(label::CHOICE) {
            RecordKind::Choice(self.text(label::CHOICE))
        } else {
            RecordKind::Pin
        };
        let data = self.0.iter().filter_map(|(key, volume)| Some((key.strip_prefix(label::DATA)?, volume)));
        Some(Record {
            name: String::new(),
            scope: Scope { environment: self.text(label::RECORD_OF), ..self.scope() },
            machine: self.text(label::MACHINE),
            kind,
            data: data.map(|(service, volume)| (service.to_owned(), volume.clone())).collect(),
            clone_mode: CloneMode::parse(self.get(label::CLONE_MODE)),
            pins: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        let lease = Lease { owner: "shop/web".to_owned(), job: "77".to_owned(), expires: 9 };
        Scope { root: "/shop".to_owned(), environment: "shop-1".to_owned(), ephemeral: true, lease: Some(lease) }
    }

    fn parent() -> Parent {
        let layers = vec!["one".to_owned(), "two.top/upper".to_owned()];
        Parent { layers, clone_mode: CloneMode::Overlay, folder: Some(Owner { uid: 999, gid: 998, mode: 0o700 }) }
    }

    fn key() -> BaseKey {
        BaseKey { base: "devenv-base-1".to_owned(), machine: "ab".to_owned() }
    }

    #[test]
    fn a_container_is_read_as_it_was_written() {
        let service = ServiceContainer {
            service: "db".to_owned(),
            kind: "postgres".to_owned(),
            version: "17.12".to_owned(),
            config: "image=1".to_owned(),
            port: Some(5432),
            declared: Some("sealed".to_owned()),
        };
        let roles = [
            ContainerRole::Service(service),
            ContainerRole::Making(key()),
            ContainerRole::Filling("volume".to_owned()),
            ContainerRole::Helper,
        ];
        for role in roles {
            let ReadContainer::Other(found, read) = Read::new(Some(of_container(&scope(), &role))).container() else {
                panic!("{role:?} is no record");
            };
            assert_eq!((found, read), (scope(), role));
        }
    }

    #[test]
    fn a_volume_is_read_as_it_was_written() {
        let data = Data {
            service: "db".to_owned(),
            kind: "postgres".to_owned(),
            version: "17".to_owned(),
            port: Some(5432),
            generation: 3,
            branch: "main".to_owned(),
            seeds: "hash".to_owned(),
            from: Some("shop-2".to_owned()),
            parent: Some(parent()),
        };
        let first = Data { generation: 1, from: None, parent: None, ..data.clone() };
        let roles = [
            VolumeRole::Data(data),
            VolumeRole::Data(first),
            VolumeRole::Upper("volume".to_owned()),
            VolumeRole::Base(key()),
            VolumeRole::Unproven("volume".to_owned()),
            VolumeRole::Helper,
        ];
        for role in roles {
            let read = Read::new(Some(of_volume(&scope(), &role)));
            assert_eq!((read.scope(), read.volume(), read.schema()), (scope(), role, SCHEMA));
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let entry = Entry {
            service: "db".to_owned(),
            kind: "postgres".to_owned(),
            version: "17".to_owned(),
            sequence: 6,
            volumes: vec!["a".to_owned()],
            parent: Some("b".to_owned()),
            requested: true,
        };
        let second = Entry { service: "mail".to_owned(), parent: None, requested: false, ..entry.clone() };
        let (entries, kept) = (vec![entry, second], vec!["c".to_owned(), "d".to_owned()]);
        let head = Head { branch: "m".to_owned(), sequence: 7, entries, kept };
        let all = [
            RecordKind::Snapshot("one".to_owned()),
            RecordKind::Head(head),
            RecordKind::Pin,
            RecordKind::Choice("signed".to_owned()),
            RecordKind::Choice(String::new()),
        ];
        for kind in all {
            let record = Record {
                name: String::new(),
                scope: scope(),
                machine: "ab".to_owned(),
                kind,
                data: BTreeMap::from([("db".to_owned(), "volume".to_owned()), ("gone".to_owned(), String::new())]),
                clone_mode: Some(CloneMode::Copy),
                pins: Vec::new(),
            };
            let ReadContainer::Record(read) = Read::new(Some(of_record(&record, 5))).container() else {
                panic!("{record:?} is a record");
            };
            assert_eq!(read, record);
            assert_eq!(Read::new(Some(of_record(&record, 5))).written(), Some(5));
        }
        let kind = RecordKind::Base { base: "devenv-base-1".to_owned(), parent: parent() };
        let base = Record {
            scope: Scope { root: "/shop".to_owned(), ..Scope::default() },
            machine: "ab".to_owned(),
            clone_mode: Some(CloneMode::Overlay),
            kind,
            ..Record::default()
        };
        let ReadContainer::Record(read) = Read::new(Some(of_record(&base, 5))).container() else {
            panic!("a base's record");
        };
        assert_eq!(read, base);
    }

    #[test]
    fn labels_of_0_1_0_are_read() {
        let labels = [
            (label::ROOT, "/shop"),
            (label::ENVIRONMENT, "shop-1"),
            (label::SERVICE, "db"),
            (label::KIND, "postgres"),
            (label::VERSION, "17"),
            (label::PORT, "20123"),
        ];
        let read = Read::new(Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()));
        assert_eq!(read.schema(), 1);
        let VolumeRole::Data(data) = read.volume() else { panic!("data") };
        assert_eq!((data.service.as_str(), data.version.as_str(), data.generation), ("db", "17", 1));
        assert_eq!((data.port, data.parent), (Some(20123), None));
    }
}
