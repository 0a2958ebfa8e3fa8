terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "5.60.0" }
  }
}

variable "pg_version" {}
variable "db_password" { sensitive = true }
variable "replicas" { default = [] }

locals {
  name      = "shop"
  databases = { orders = "16.4", audit = "15" }
}

resource "aws_db_parameter_group" "main" {
  name   = "${local.name}-pg16"
  family = "postgres16"
  parameter {
    name  = "log_connections"
    value = "1"
  }
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
  parameter {
    name  = "max_connections"
    value = "LEAST({DBInstanceClassMemory/9531392},5000)"
  }
  parameter {
    name  = "shared_preload_libraries"
    value = "pg_stat_statements,pgaudit"
  }
}

resource "aws_db_instance" "main" {
  engine               = "postgres"
  engine_version       = var.pg_version
  db_name              = "shop"
  username             = "shop"
  password             = var.db_password
  instance_class       = "db.t3.medium"
  parameter_group_name = aws_db_parameter_group.main.name
}

resource "aws_db_instance" "by_map" {
  for_each       = local.databases
  engine         = "postgres"
  engine_version = each.value
  db_name        = each.key
  password       = "not-to-be-copied"
}

resource "aws_db_instance" "replica" {
  replicate_source_db = aws_db_instance.main.identifier
}

resource "aws_db_instance" "replicas" {
  for_each       = toset(var.replicas)
  engine         = "postgres"
  engine_version = "16"
}

resource "aws_rds_cluster" "aurora" {
  engine         = "aurora-mysql"
  engine_version = "8.0.mysql_aurora.3.04.0"
  database_name  = "legacy"
}

resource "aws_rds_cluster_instance" "aurora" {
  cluster_identifier = aws_rds_cluster.aurora.id
  engine             = "aurora-mysql"
}

resource "aws_db_instance" "reports" {
  engine         = "sqlserver-ex"
  engine_version = "15.00"
}

resource "aws_elasticache_replication_group" "cache" {
  engine_version       = "7.1"
  parameter_group_name = "default.redis7"
}

resource "aws_elasticache_serverless_cache" "sessions" {
  engine               = "valkey"
  major_engine_version = "8"
}

resource "aws_mq_broker" "queue" {
  engine_type    = "RabbitMQ"
  engine_version = "3.13"
  user {
    username = "shop"
    password = var.db_password
  }
}

resource "aws_msk_cluster" "events" {
  kafka_version = "3.7.x"
}

resource "aws_opensearch_domain" "search" {
  engine_version = "OpenSearch_2.11"
}

resource "aws_sqs_queue" "jobs" {}
resource "aws_s3_bucket" "uploads" {}
resource "aws_dynamodb_table" "sessions" {}

resource "aws_db_instance" "elsewhere" {
  engine         = "postgres"
  engine_version = data.aws_rds_engine_version.latest.version
}
