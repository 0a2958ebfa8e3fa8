variable "parameters" {
  type = list(object({ name = string, value = string, apply_method = optional(string) }))
  default = [
    { name = "work_mem", value = "65536" },
    { name = "log_min_duration_statement", value = "250", apply_method = "immediate" },
  ]
}

variable "flags_of_the_day" { type = map(string) }

resource "aws_db_parameter_group" "shop" {
  name   = "shop"
  family = "postgres16"

  parameter {
    name  = "max_connections"
    value = "300"
  }

  dynamic "parameter" {
    for_each = var.parameters
    content {
      name         = parameter.value.name
      value        = parameter.value.value
      apply_method = lookup(parameter.value, "apply_method", "pending-reboot")
    }
  }
}

resource "aws_db_instance" "shop" {
  engine               = "postgres"
  engine_version       = "16.4"
  db_name              = "shop"
  parameter_group_name = aws_db_parameter_group.shop.name
}

resource "google_sql_database_instance" "orders" {
  database_version = "POSTGRES_16"

  settings {
    tier = "db-g1-small"

    dynamic "database_flags" {
      for_each = { work_mem = "4096", "cloudsql.enable_pgaudit" = "on" }
      iterator = flag
      content {
        name  = flag.key
        value = flag.value
      }
    }
  }
}

resource "google_sql_database_instance" "unsettled" {
  database_version = "POSTGRES_15"

  settings {
    tier = "db-g1-small"

    dynamic "database_flags" {
      for_each = var.flags_of_the_day
      content {
        name  = database_flags.key
        value = database_flags.value
      }
    }
  }
}
