//! Custom resources: the objects from which operators create servers.
//!
//! The file of a kind names its resources (`spellings: {kubernetes: [GROUP/KIND]}`). A line of [`LAYOUTS`] says where a
//! resource has its version, its image and its hosts. A function in the same line reads the keys that only one operator
//! has.

mod cloudnative_pg;
mod crunchy;
mod elastic;
mod rabbitmq;
mod redis;
mod resource;
mod strimzi;
mod zalando;

use super::Reader;
use super::object::Object;
use crate::model::Diagnostic;
use crate::syntax::tree::Node;
use resource::Resource;

/// The places of the values that all custom resources have.
pub(super) struct Layout {
    /// `GROUP/KIND`.
    resource: &'static str,
    /// The path of its image.
    image: Option<&'static str>,
    /// The path of its version.
    version: Option<&'static str>,
    /// Hosts of its services; `{}` is its name.
    hosts: &'static [&'static str],
    /// Reads the keys that only its operator has.
    more: fn(&mut Resource<'_, '_, '_>),
}

const LAYOUTS: &[Layout] = &[
    Layout {
        resource: "postgresql.cnpg.io/Cluster",
        image: Some("spec.imageName"),
        version: None,
        hosts: &["{}-rw", "{}-ro", "{}-r"],
        more: cloudnative_pg::read,
    },
    Layout {
        resource: "acid.zalan.do/postgresql",
        image: None,
        version: Some("spec.postgresql.version"),
        hosts: &["{}", "{}-repl", "{}-pooler", "{}-pooler-repl"],
        more: zalando::read,
    },
    Layout {
        resource: "postgres-operator.crunchydata.com/PostgresCluster",
        image: Some("spec.image"),
        version: Some("spec.postgresVersion"),
        hosts: &["{}-primary", "{}-replicas", "{}-ha", "{}-pgbouncer"],
        more: crunchy::read,
    },
    Layout {
        resource: "rabbitmq.com/RabbitmqCluster",
        image: Some("spec.image"),
        version: None,
        hosts: &["{}", "{}-nodes", "{}-server-*.{}-nodes"],
        more: rabbitmq::read,
    },
    Layout {
        resource: "kafka.strimzi.io/Kafka",
        image: None,
        version: Some("spec.kafka.version"),
        hosts: &["{}-kafka-bootstrap", "{}-kafka-brokers", "{}-*.{}-kafka-brokers"],
        more: strimzi::read,
    },
    Layout {
        resource: "databases.spotahome.com/RedisFailover",
        image: Some("spec.redis.image"),
        version: None,
        hosts: &["rfrm-{}", "rfrs-{}", "rfr-{}", "rfs-{}"],
        more: redis::read_failover,
    },
    OT_REDIS,
    Layout { resource: "redis.redis.opstreelabs.in/RedisCluster", ..OT_REDIS },
    Layout { resource: "redis.redis.opstreelabs.in/RedisReplication", ..OT_REDIS },
    Layout {
        resource: "elasticsearch.k8s.elastic.co/Elasticsearch",
        image: Some("spec.image"),
        version: Some("spec.version"),
        hosts: &["{}-es-http", "{}-es-internal-http"],
        more: elastic::read,
    },
    Layout {
        resource: "dragonflydb.io/Dragonfly",
        image: Some("spec.image"),
        version: None,
        hosts: &["{}"],
        more: redis::read_dragonfly,
    },
    Layout {
        resource: "mongodbcommunity.mongodb.com/MongoDBCommunity",
        image: None,
        version: Some("spec.version"),
        hosts: &["{}-svc", "{}-*.{}-svc"],
        more: nothing_more,
    },
    Layout {
        resource: "psmdb.percona.com/PerconaServerMongoDB",
        image: Some("spec.image"),
        version: None,
        hosts: &["{}-rs0", "{}-mongos"],
        more: nothing_more,
    },
    Layout {
        resource: "k8s.mariadb.com/MariaDB",
        image: Some("spec.image"),
        version: None,
        hosts: &["{}", "{}-primary", "{}-secondary", "{}-internal"],
        more: nothing_more,
    },
    Layout {
        resource: "mysql.oracle.com/InnoDBCluster",
        image: None,
        version: Some("spec.version"),
        hosts: &["{}", "{}-instances"],
        more: nothing_more,
    },
    Layout {
        resource: "pxc.percona.com/PerconaXtraDBCluster",
        image: Some("spec.pxc.image"),
        version: None,
        hosts: &["{}-pxc", "{}-haproxy", "{}-proxysql"],
        more: nothing_more,
    },
    Layout {
        resource: "opensearch.opster.io/OpenSearchCluster",
        image: Some("spec.general.image"),
        version: Some("spec.general.version"),
        hosts: &["{}"],
        more: nothing_more,
    },
    Layout {
        resource: "minio.min.io/Tenant",
        image: Some("spec.image"),
        version: None,
        hosts: &["minio", "{}-hl"],
        more: nothing_more,
    },
];

const OT_REDIS: Layout = Layout {
    resource: "redis.redis.opstreelabs.in/Redis",
    image: Some("spec.kubernetesConfig.image"),
    version: None,
    hosts: &["{}", "{}-headless", "{}-additional", "{}-leader", "{}-follower", "{}-master", "{}-replica"],
    more: redis::read_ot,
};

/// Resources that belong to another resource, or watch or use one, each with a note for its app.
const OTHERS: &[(&str, &str)] = &[
    ("postgresql.cnpg.io/Pooler", "a connection pooler before a database"),
    ("redis.redis.opstreelabs.in/RedisSentinel", "a sentinel, it watches Redis servers"),
    ("kafka.strimzi.io/KafkaConnect", "a client of Kafka"),
    ("kafka.strimzi.io/KafkaBridge", "a client of Kafka"),
    ("kafka.strimzi.io/KafkaMirrorMaker", "a client of Kafka"),
    ("kafka.strimzi.io/KafkaMirrorMaker2", "a client of Kafka"),
    ("kibana.k8s.elastic.co/Kibana", "an admin page"),
    ("apm.k8s.elastic.co/ApmServer", "a client of Elasticsearch"),
    ("beat.k8s.elastic.co/Beat", "a client of Elasticsearch"),
    ("logstash.k8s.elastic.co/Logstash", "a client of Elasticsearch"),
    ("agent.k8s.elastic.co/Agent", "a client of Elasticsearch"),
    ("enterprisesearch.k8s.elastic.co/EnterpriseSearch", "a client of Elasticsearch"),
];

/// The last words of kinds that are about a server and are no server: `PerconaServerMongoDBBackup`.
const ABOUT: &[&str] = &[
    "backup",
    "restore",
    "user",
    "database",
    "topic",
    "catalog",
    "pool",
    "pooler",
    "backupschedule",
    "scheduledbackup",
    "acl",
    "connection",
    "grant",
    "publication",
    "subscription",
    "exporter",
    "sentinel",
    "operator",
    "configuration",
    "opsrequest",
    "version",
    "archive",
    "job",
    "policy",
    "rebalance",
];

fn nothing_more(_: &mut Resource<'_, '_, '_>) {}

/// Reads a custom resource that is a server or belongs to one. Returns whether the object was such a resource.
pub(super) fn read<'n>(reader: &mut Reader<'_, 'n>, object: &Object<'n>) -> bool {
    // The built-in groups have no dot, or end with `.k8s.io`.
    if !object.group.contains('.') || object.group.ends_with(".k8s.io") {
        return false;
    }
    let resource = format!("{}/{}", object.group, object.kind);
    if let Some(layout) = LAYOUTS.iter().find(|layout| layout.resource == resource)
        && let Some(kind) = reader.input.kinds.spelled("kubernetes", &resource)
    {
        resource::read(reader, object, kind, layout);
        return true;
    }
    if let Some((_, note)) = OTHERS.iter().find(|(known, _)| *known == resource) {
        let name = reader.name_for(&object.name.value, object);
        reader.add_app(&name, None, note, &object.name.origin);
        if let Some(cluster) = object.at("spec.cluster.name").filter(|_| object.kind == "Pooler") {
            super::pooler::of_operator(reader, &name, object, cluster);
        }
        return true;
    }
    unknown(reader, object)
}

/// Reports that a resource is not read, if it is named after a server and is no known resource.
fn unknown(reader: &mut Reader<'_, '_>, object: &Object<'_>) -> bool {
    let word = object.kind.to_ascii_lowercase();
    if ABOUT.iter().any(|end| word.ends_with(end)) || object.at("spec.template.spec.containers").is_some() {
        return false;
    }
    let mut kinds = reader.input.kinds.iter().filter(|kind| kind.port != 0);
    let stem = word.strip_suffix("cluster").unwrap_or(&word);
    let Some(kind) = kinds.find(|kind| kind.names.iter().any(|name| name.len() > 2 && name == stem)) else {
        return false;
    };
    let label = format!("a custom resource of {}", object.group);
    let origin = object.node.get("kind").map_or(&object.name.origin, |node: &Node| &node.origin);
    reader.diagnostics.push(
        Diagnostic::warning(
            "custom-resource",
            format!("`{}` looks like {}, and is not read", object.name.value, kind.title),
        )
        .at(origin, label)
        .because("devenv does not know this operator's resources")
        .help(format!(
            "declare it in a services.yaml beside this file: `{}: {{kind: {}, version: …}}`",
            object.name.value, kind.name
        )),
    );
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;

    #[test]
    fn every_layout_is_spelled_by_a_kind_and_every_spelling_has_a_layout() {
        let kinds = Kinds::built_in().unwrap();
        for layout in LAYOUTS {
            assert!(kinds.spelled("kubernetes", layout.resource).is_some(), "{}", layout.resource);
        }
        let spelled = kinds.iter().filter_map(|kind| kind.spellings.get("kubernetes")).flatten();
        for spelling in spelled {
            assert!(LAYOUTS.iter().any(|layout| layout.resource == spelling), "{spelling}");
        }
    }
}
