variable "version_of_postgres" { default = "15" }
resource "aws_db_instance" "this" {
  engine         = "postgres"
  engine_version = var.version_of_postgres
}
