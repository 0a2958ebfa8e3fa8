//! The Terraform resources that are services, with the attributes that are read from each.

use crate::kinds::matches;
use crate::manifest::declare::cloud::{Settings, Shape};

const NOTHING: Shape =
    Shape { resource: "", engine: "", version: &[], database: "", user: "", settings: &[], part_of: &[] };

/// Every type of resource that is a service. If the type alone gives the kind, the file of the kind names the type
/// (`spellings: {terraform: …}`). The attributes are those of the providers' documentation.
pub(super) const SHAPES: &[Shape] = &[
    Shape {
        resource: "aws_db_instance",
        engine: "engine",
        version: &["engine_version_actual", "engine_version"],
        database: "db_name",
        user: "username",
        settings: &[Settings::Group("parameter_group_name")],
        part_of: &["replicate_source_db"],
    },
    Shape {
        resource: "aws_rds_cluster",
        engine: "engine",
        version: &["engine_version_actual", "engine_version"],
        database: "database_name",
        user: "master_username",
        settings: &[Settings::Group("db_cluster_parameter_group_name")],
        part_of: &["replication_source_identifier"],
    },
    Shape {
        resource: "aws_docdb_cluster",
        version: &["engine_version"],
        user: "master_username",
        settings: &[Settings::Group("db_cluster_parameter_group_name")],
        ..NOTHING
    },
    Shape {
        resource: "aws_elasticache_cluster",
        engine: "engine",
        version: &["engine_version_actual", "engine_version"],
        settings: &[Settings::Group("parameter_group_name")],
        part_of: &["replication_group_id"],
        ..NOTHING
    },
    Shape {
        resource: "aws_elasticache_replication_group",
        engine: "engine",
        version: &["engine_version_actual", "engine_version"],
        settings: &[Settings::Group("parameter_group_name")],
        part_of: &["global_replication_group_id"],
        ..NOTHING
    },
    Shape {
        resource: "aws_elasticache_serverless_cache",
        engine: "engine",
        version: &["full_engine_version", "major_engine_version"],
        ..NOTHING
    },
    Shape {
        resource: "aws_memorydb_cluster",
        engine: "engine",
        version: &["engine_patch_version", "engine_version"],
        settings: &[Settings::Group("parameter_group_name")],
        ..NOTHING
    },
    Shape {
        resource: "aws_mq_broker",
        engine: "engine_type",
        version: &["engine_version"],
        user: "user.username",
        settings: &[Settings::Group("configuration.id")],
        ..NOTHING
    },
    Shape {
        resource: "aws_msk_cluster",
        version: &["kafka_version"],
        settings: &[Settings::Group("configuration_info.arn")],
        ..NOTHING
    },
    Shape { resource: "aws_msk_serverless_cluster", ..NOTHING },
    Shape {
        resource: "aws_opensearch_domain",
        engine: "engine_version",
        version: &["engine_version"],
        settings: &[Settings::Map("advanced_options")],
        ..NOTHING
    },
    Shape {
        resource: "aws_elasticsearch_domain",
        version: &["elasticsearch_version"],
        settings: &[Settings::Map("advanced_options")],
        ..NOTHING
    },
    Shape { resource: "aws_sqs_queue", ..NOTHING },
    Shape { resource: "aws_s3_bucket", ..NOTHING },
    Shape { resource: "aws_dynamodb_table", ..NOTHING },
    Shape { resource: "google_pubsub_topic", ..NOTHING },
    Shape {
        resource: "google_sql_database_instance",
        engine: "database_version",
        version: &["database_version"],
        settings: &[Settings::Pairs("settings.database_flags")],
        part_of: &["master_instance_name"],
        ..NOTHING
    },
    Shape {
        resource: "google_alloydb_cluster",
        version: &["database_version"],
        user: "initial_user.user",
        settings: &[Settings::Map("database_flags")],
        ..NOTHING
    },
    Shape {
        resource: "google_redis_instance",
        version: &["redis_version"],
        settings: &[Settings::Map("redis_configs")],
        ..NOTHING
    },
    Shape { resource: "google_redis_cluster", settings: &[Settings::Map("redis_configs")], ..NOTHING },
    Shape {
        resource: "google_memorystore_instance",
        version: &["engine_version"],
        settings: &[Settings::Map("engine_configs")],
        ..NOTHING
    },
    Shape {
        resource: "google_memcache_instance",
        version: &["memcache_full_version", "memcache_version"],
        settings: &[Settings::Map("memcache_parameters.params")],
        ..NOTHING
    },
    Shape {
        resource: "azurerm_postgresql_flexible_server",
        version: &["version"],
        user: "administrator_login",
        part_of: &["source_server_id"],
        ..NOTHING
    },
    Shape {
        resource: "azurerm_postgresql_server",
        version: &["version"],
        user: "administrator_login",
        part_of: &["creation_source_server_id"],
        ..NOTHING
    },
    Shape {
        resource: "azurerm_mysql_flexible_server",
        version: &["version"],
        user: "administrator_login",
        part_of: &["source_server_id"],
        ..NOTHING
    },
    Shape { resource: "azurerm_mysql_server", version: &["version"], user: "administrator_login", ..NOTHING },
    Shape { resource: "azurerm_mariadb_server", version: &["version"], user: "administrator_login", ..NOTHING },
    Shape {
        resource: "azurerm_redis_cache",
        version: &["redis_version"],
        settings: &[Settings::Map("redis_configuration")],
        ..NOTHING
    },
    Shape {
        resource: "digitalocean_database_cluster",
        engine: "engine",
        version: &["version"],
        settings: &[Settings::One("eviction_policy", "maxmemory-policy")],
        ..NOTHING
    },
    Shape { resource: "mongodbatlas_cluster", version: &["mongo_db_version", "mongo_db_major_version"], ..NOTHING },
    Shape {
        resource: "mongodbatlas_advanced_cluster",
        version: &["mongo_db_version", "mongo_db_major_version"],
        ..NOTHING
    },
];

/// The shape of a resource's type, if the resource is a service.
pub(super) fn shape(type_name: &str) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| matches(shape.resource, type_name))
}

/// A type of resource that holds parameters, and that a service names as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// The type.
    pub(super) resource: &'static str,
    /// The attribute with the parameters: a list of `{name, value}`, or a file's text.
    pub(super) parameters: &'static str,
    /// Its name in the keys of a service.
    pub(super) holder: &'static str,
}

/// Every type of parameter group.
pub(super) const GROUPS: &[Group] = &[
    Group { resource: "aws_db_parameter_group", parameters: "parameter", holder: "parameter_group" },
    Group { resource: "aws_rds_cluster_parameter_group", parameters: "parameter", holder: "parameter_group" },
    Group { resource: "aws_docdb_cluster_parameter_group", parameters: "parameter", holder: "parameter_group" },
    Group { resource: "aws_elasticache_parameter_group", parameters: "parameter", holder: "parameter_group" },
    Group { resource: "aws_memorydb_parameter_group", parameters: "parameter", holder: "parameter_group" },
    Group { resource: "aws_mq_configuration", parameters: "data", holder: "configuration" },
    Group { resource: "aws_msk_configuration", parameters: "server_properties", holder: "configuration" },
];

/// The part that a resource adds to the service that it belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Adds {
    /// A database, by the attribute with its name.
    Database(&'static str),
    /// A login, by the attribute with its name.
    User(&'static str),
    /// A parameter, by the attributes with name and value.
    Parameter(&'static str, &'static str),
}

/// A type of resource that belongs to a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addition {
    /// The type, or a pattern of types.
    pub(super) resource: &'static str,
    /// The attribute that names the service.
    pub(super) of: &'static str,
    /// The part that it adds.
    pub(super) adds: Adds,
}

/// Every type of resource that belongs to a service.
pub(super) const ADDITIONS: &[Addition] = &[
    Addition { resource: "google_sql_database", of: "instance", adds: Adds::Database("name") },
    Addition { resource: "google_sql_user", of: "instance", adds: Adds::User("name") },
    Addition { resource: "azurerm_postgresql_flexible_server_database", of: "server_id", adds: Adds::Database("name") },
    Addition { resource: "azurerm_postgresql_database", of: "server_name", adds: Adds::Database("name") },
    Addition { resource: "azurerm_mysql_flexible_database", of: "server_name", adds: Adds::Database("name") },
    Addition { resource: "azurerm_mysql_database", of: "server_name", adds: Adds::Database("name") },
    Addition { resource: "azurerm_*_configuration", of: "server_id", adds: Adds::Parameter("name", "value") },
    Addition { resource: "azurerm_*_configuration", of: "server_name", adds: Adds::Parameter("name", "value") },
    Addition { resource: "digitalocean_database_db", of: "cluster_id", adds: Adds::Database("name") },
    Addition { resource: "digitalocean_database_user", of: "cluster_id", adds: Adds::User("name") },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;

    #[test]
    fn every_type_of_resource_has_its_kind_by_its_engine_or_its_type() {
        let kinds = Kinds::built_in().unwrap();
        for shape in SHAPES {
            let by_type = kinds.spelled("terraform", shape.resource);
            assert!(!shape.engine.is_empty() || by_type.is_some(), "{}", shape.resource);
        }
    }

    #[test]
    fn every_spelling_of_a_kind_is_a_type_of_resource() {
        let kinds = Kinds::built_in().unwrap();
        for kind in kinds.iter() {
            for spelling in kind.spellings.get("terraform").into_iter().flatten() {
                assert!(shape(spelling).is_some(), "{spelling}");
            }
        }
    }
}
