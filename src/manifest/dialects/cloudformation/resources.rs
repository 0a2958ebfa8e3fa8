//! The `CloudFormation` resources that are services, and the properties that are read, as in AWS' resource reference.

use crate::kinds::matches;
use crate::manifest::declare::cloud::{Settings, Shape};

const NOTHING: Shape =
    Shape { resource: "", engine: "", version: &[], database: "", user: "", settings: &[], part_of: &[] };

/// Every type of resource that is a service. If the type alone decides the kind, the kinds' own files say so
/// (`spellings: {cloudformation: …}`).
pub(super) const SHAPES: &[Shape] = &[
    Shape {
        resource: "AWS::RDS::DBInstance",
        engine: "Engine",
        version: &["EngineVersion"],
        database: "DBName",
        user: "MasterUsername",
        settings: &[Settings::Group("DBParameterGroupName")],
        part_of: &["SourceDBInstanceIdentifier", "DBClusterIdentifier"],
    },
    Shape {
        resource: "AWS::RDS::DBCluster",
        engine: "Engine",
        version: &["EngineVersion"],
        database: "DatabaseName",
        user: "MasterUsername",
        settings: &[Settings::Group("DBClusterParameterGroupName")],
        part_of: &["ReplicationSourceIdentifier"],
    },
    Shape {
        resource: "AWS::DocDB::DBCluster",
        version: &["EngineVersion"],
        user: "MasterUsername",
        settings: &[Settings::Group("DBClusterParameterGroupName")],
        ..NOTHING
    },
    Shape {
        resource: "AWS::ElastiCache::CacheCluster",
        engine: "Engine",
        version: &["EngineVersion"],
        settings: &[Settings::Group("CacheParameterGroupName")],
        ..NOTHING
    },
    Shape {
        resource: "AWS::ElastiCache::ReplicationGroup",
        engine: "Engine",
        version: &["EngineVersion"],
        settings: &[Settings::Group("CacheParameterGroupName")],
        part_of: &["GlobalReplicationGroupId"],
        ..NOTHING
    },
    Shape {
        resource: "AWS::ElastiCache::ServerlessCache",
        engine: "Engine",
        version: &["FullEngineVersion", "MajorEngineVersion"],
        ..NOTHING
    },
    Shape {
        resource: "AWS::MemoryDB::Cluster",
        engine: "Engine",
        version: &["EngineVersion"],
        settings: &[Settings::Group("ParameterGroupName")],
        ..NOTHING
    },
    Shape {
        resource: "AWS::AmazonMQ::Broker",
        engine: "EngineType",
        version: &["EngineVersion"],
        user: "Users.Username",
        ..NOTHING
    },
    Shape { resource: "AWS::MSK::Cluster", version: &["KafkaVersion"], ..NOTHING },
    Shape { resource: "AWS::MSK::ServerlessCluster", ..NOTHING },
    Shape {
        resource: "AWS::OpenSearchService::Domain",
        engine: "EngineVersion",
        version: &["EngineVersion"],
        settings: &[Settings::Map("AdvancedOptions")],
        ..NOTHING
    },
    Shape {
        resource: "AWS::Elasticsearch::Domain",
        version: &["ElasticsearchVersion"],
        settings: &[Settings::Map("AdvancedOptions")],
        ..NOTHING
    },
    Shape { resource: "AWS::SQS::Queue", ..NOTHING },
    Shape { resource: "AWS::S3::Bucket", ..NOTHING },
    Shape { resource: "AWS::DynamoDB::Table", ..NOTHING },
    Shape { resource: "AWS::DynamoDB::GlobalTable", ..NOTHING },
    Shape { resource: "AWS::Serverless::SimpleTable", ..NOTHING },
];

/// The shape of a resource's type; `None` if it is no service.
pub(super) fn shape(type_name: &str) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| matches(shape.resource, type_name))
}

/// Resources that hold parameters of services: the type, and the property with the map of them.
pub(super) const GROUPS: &[(&str, &str)] = &[
    ("AWS::RDS::DBParameterGroup", "Parameters"),
    ("AWS::RDS::DBClusterParameterGroup", "Parameters"),
    ("AWS::DocDB::DBClusterParameterGroup", "Parameters"),
    ("AWS::ElastiCache::ParameterGroup", "Properties"),
    ("AWS::MemoryDB::ParameterGroup", "Parameters"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;

    #[test]
    fn every_type_of_resource_has_a_kind_by_its_engine_or_its_type() {
        let kinds = Kinds::built_in().unwrap();
        for shape in SHAPES {
            let by_type = kinds.spelled("cloudformation", shape.resource);
            assert!(!shape.engine.is_empty() || by_type.is_some(), "{}", shape.resource);
        }
    }
}
