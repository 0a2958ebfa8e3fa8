"""Inputs that make reading expensive: files of 1 MB, and whole repositories.

Each input is a name and its files by path. An input of 1 MB has 1 MB of text in total; a repository may have more.
"""

SIZE = 1_000_000

# One fewer than the limit of a list or a map, so that comparisons of all pairs have the most work.
WIDE = 9_999


def grown(head, line, tail="", size=SIZE, most=WIDE):
    """Lines, generated from their numbers, until the text has the given size or number of lines."""
    parts, length = [head], len(head) + len(tail)
    at = 0
    while length < size and at < most:
        part = line(at)
        parts.append(part)
        length += len(part)
        at += 1
    return "".join(parts) + tail


def endless(head, line, tail="", size=SIZE):
    """The same, for texts whose lines are not entries of one list or map."""
    return grown(head, line, tail, size, most=SIZE)


def doubled(line, count=40):
    """Lines of which each line contains the previous line twice."""
    return "".join(line(at) for at in range(1, count))


def inputs():
    """Name and files of each input of 1 MB or less."""
    yield ".env, each variable twice the one before", {
        ".env": "A0=0123456789\n" + doubled(lambda at: f"A{at}=$A{at - 1}${{A{at - 1}}}\n"),
        "compose.yaml": "services: {db: {image: 'postgres:${A39}'}}\n",
    }
    yield ".env, one long variable in every line", {
        ".env": endless("A=" + "x" * 1000 + "\n", lambda at: f"B{at}=$A\n"),
        "compose.yaml": "services: {db: {image: 'postgres:16.4'}}\n",
    }
    yield ".env, many variables, each in the next", {
        ".env": endless("A0=x\n", lambda at: f"A{at + 1}=${{A{at}:-y}}\n"),
        "compose.yaml": "services: {web: {image: shop, env_file: .env}}\n",
    }
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n    - name: web\n"
        "      image: shop/web:1\n      env:\n        - {name: A0, value: '0123456789'}\n"
    )
    yield "$(VAR), each twice the one before", {
        "web.yaml": pod + doubled(lambda at: f"        - {{name: A{at}, value: '$(A{at - 1})$(A{at - 1})'}}\n")
    }
    yield "$(VAR), each in the next", {
        "web.yaml": grown(pod, lambda at: f"        - {{name: A{at + 1}, value: '$(A{at})'}}\n")
    }
    yield "ARG, each twice the one before", {
        "compose.yaml": "services: {db: {build: .}}\n",
        "Dockerfile": "ARG A0=0123456789\n"
        + doubled(lambda at: f"ARG A{at}=${{A{at - 1}}}${{A{at - 1}}}\n")
        + "FROM postgres:${A39}\n",
    }
    yield "ARG, each in the next", {
        "compose.yaml": "services: {db: {build: .}}\n",
        "Dockerfile": endless("ARG A0=1\n", lambda at: f"ARG A{at + 1}=$A{at}\n", "FROM postgres:$A9\n"),
    }
    yield "many stages of a Dockerfile", {
        "compose.yaml": "services: {db: {build: .}}\n",
        "Dockerfile": endless("FROM postgres:16.4 AS s0\n", lambda at: f"FROM s{at} AS s{at + 1}\n"),
    }
    yield "one Dockerfile of 1 MB for many services", {
        "compose.yaml": grown("services:\n", lambda at: f"  s{at}: {{build: .}}\n", size=SIZE // 2),
        "Dockerfile": endless("FROM postgres:16.4\n", lambda at: f"RUN {at}\n", size=SIZE // 2),
    }
    keys = "".join(f"      K{at}: x\n" for at in range(40))
    yield "a chain of extends", {
        "compose.yaml": grown(
            "services:\n  s0: {image: 'shop:1'}\n",
            lambda at: f"  s{at + 1}:\n    extends: s{at}\n    image: shop:1\n    environment:\n{keys}",
        )
    }
    yield "one extends by all", {
        "compose.yaml": grown(
            "services:\n  s0:\n    image: shop:1\n    environment:\n" + keys * 20,
            lambda at: f"  s{at + 1}: {{extends: s0}}\n",
        )
    }
    yield "a tree of includes", {
        f"{name}.yaml": text
        for name, text in [("compose", "include: [f1.yaml, f1.yaml]\nservices: {}\n")]
        + [(f"f{at}", f"include: [f{at + 1}.yaml, f{at + 1}.yaml]\nservices: {{}}\n") for at in range(1, 30)]
        + [("f30", "services: {db: {image: 'postgres:16.4'}}\n")]
    }
    yield "one file included again and again", {
        "compose.yaml": grown("include:\n", lambda at: "  - a.yaml\n", "services: {}\n", SIZE // 2),
        "a.yaml": grown("services:\n", lambda at: f"  s{at}: {{image: 'redis:7.2.5'}}\n", size=SIZE // 2),
    }
    yield "many services of Compose", {
        "compose.yaml": grown("services:\n", lambda at: f"  s{at}: {{image: 'redis:7.2.5'}}\n")
    }
    yield "many apps of Compose, each with a variable", {
        "compose.yaml": grown(
            "services:\n  db: {image: 'postgres:16.4'}\n",
            lambda at: f"  s{at}: {{image: shop, environment: {{DB_HOST: db}}}}\n",
        )
    }
    yield "one app with hosts and their siblings", {
        "compose.yaml": grown(
            "services:\n  db: {image: 'postgres:16.4'}\n  web:\n    image: shop\n    environment:\n",
            lambda at: f"      A{at}_HOST: db\n      A{at}_USER: u{at}\n      A{at}_PASSWORD: p\n      A{at}_NAME: d{at}\n",
            most=WIDE // 4,
        )
    }
    yield "one app with URLs of new users and databases", {
        "compose.yaml": grown(
            "services:\n  db: {image: 'postgres:16.4'}\n  web:\n    image: shop\n    environment:\n",
            lambda at: f"      A{at}_URL: postgres://u{at}:p@db/d{at}\n",
        )
    }
    yield "many empty hosts beside ports", {
        "compose.yaml": grown(
            "services:\n  db: {image: 'postgres:16.4'}\n  web:\n    image: shop\n    environment:\n",
            lambda at: f"      A{at}_HOST: ''\n      A{at}_PORT: 5432\n",
            most=WIDE // 2,
        )
    }
    yield "one value with many hosts", {
        "compose.yaml": "services:\n  db: {image: 'postgres:16.4'}\n  web:\n    image: shop\n    environment:\n"
        + "      DATABASE_URL: postgres://"
        + ",".join(["db:5432"] * 120_000)
        + "/x\n"
    }
    yield "one URL with many parameters", {
        "compose.yaml": "services:\n  db: {image: 'postgres:16.4'}\n  web:\n    image: shop\n    environment:\n"
        + "      DATABASE_URL: postgres://db/x?"
        + "&".join(f"a{at}=sslmode" for at in range(60_000))
        + "\n"
    }
    yield "many databases from one variable", {
        "compose.yaml": "services:\n  db:\n    image: postgres:16.4\n    environment:\n      POSTGRES_MULTIPLE_DATABASES: "
        + ",".join(f"d{at}" for at in range(120_000))
        + "\n"
    }
    yield "many aliases of one service", {
        "compose.yaml": grown(
            "services:\n  db:\n    image: postgres:16.4\n    networks:\n      default:\n        aliases:\n",
            lambda at: f"          - a{at}\n",
        )
    }
    yield "many mounts of one service", {
        "compose.yaml": grown(
            "services:\n  db:\n    image: postgres:16.4\n    volumes:\n", lambda at: f"      - ./a{at}:/a{at}\n"
        )
    }
    yield "many flags in one command", {
        "compose.yaml": grown(
            "services:\n  db:\n    image: postgres:16.4\n    command:\n", lambda at: f"      - -c\n      - a{at}=1\n", most=WIDE // 2
        )
    }
    for kind, image, path, line in [
        ("Postgres", "postgres:16.4", "/etc/postgresql/postgresql.conf", "s{} = on\n"),
        ("MySQL", "mysql:8.4.3", "/etc/mysql/conf.d/a.cnf", "s{}=1\n"),
        ("Redis", "redis:7.2.5", "/usr/local/etc/redis/redis.conf", "s{} 1\n"),
        ("RabbitMQ", "rabbitmq:4.0.5", "/etc/rabbitmq/rabbitmq.conf", "s{} = 1\n"),
    ]:
        start = "[mysqld]\n" if kind == "MySQL" else ""
        command = "    command: redis-server /usr/local/etc/redis/redis.conf\n" if kind == "Redis" else ""
        command = "    command: -c config_file=/etc/postgresql/postgresql.conf\n" if kind == "Postgres" else command
        yield f"a long configuration of {kind}", {
            "compose.yaml": f"services:\n  db:\n    image: {image}\n{command}    volumes: ['./c:{path}']\n",
            "c": endless(start, lambda at, line=line: line.format(at)),
        }
    yield "one configuration for many services", {
        "compose.yaml": grown(
            "services:\n",
            lambda at: f"  s{at}:\n    image: postgres:16.4\n    command: -c config_file=/c\n    volumes: ['./c:/c']\n",
            size=SIZE * 9 // 10,
        ),
        "c": endless("", lambda at: f"s{at} = on\n", size=SIZE // 10),
    }
    yield "definitions of RabbitMQ", {
        "compose.yaml": "services:\n  queue:\n    image: rabbitmq:4.0.5\n"
        "    volumes: ['./definitions.json:/etc/rabbitmq/definitions.json', './c:/etc/rabbitmq/rabbitmq.conf']\n",
        "c": "load_definitions = /etc/rabbitmq/definitions.json\n",
        "definitions.json": grown(
            '{"vhosts": [{"name": "/"}',
            lambda at: f', {{"name": "v{at}"}}',
            '], "users": [' + ", ".join(f'{{"name": "u{at}"}}' for at in range(20_000)) + "]}",
        ),
    }
    yield "init scripts with extensions", {
        "compose.yaml": "services:\n  db:\n    image: postgres:16.4\n"
        "    volumes: ['./init.sql:/docker-entrypoint-initdb.d/init.sql']\n",
        "init.sql": endless("", lambda at: f"CREATE EXTENSION a{at};\n"),
    }
    yield "aliases of YAML", {
        "compose.yaml": "x: &x " + "x" * 1000 + "\nservices:\n  web:\n    image: shop\n    environment:\n"
        + grown("", lambda at: f"      A{at}: *x\n")
    }
    yield "merge keys of YAML", {
        "compose.yaml": "x: &x {" + ", ".join(f"K{at}: v" for at in range(300)) + "}\nservices:\n"
        + grown("", lambda at: f"  s{at}: {{image: shop, environment: {{<<: *x}}}}\n")
    }
    yield "groups of Render", {
        "render.yaml": grown(
            "envVarGroups:\n  - name: all\n    envVars:\n"
            + "".join(f"      - {{key: K{at}, value: v}}\n" for at in range(1000))
            + "services:\n",
            lambda at: f"  - {{name: w{at}, type: web, runtime: node, envVars: [{{fromGroup: all}}]}}\n",
        )
    }
    yield "databases and references of Render", {
        "render.yaml": grown("databases:\n", lambda at: f"  - {{name: d{at}, postgresMajorVersion: '16'}}\n", size=SIZE // 2)
        + grown(
            "services:\n  - name: web\n    type: web\n    runtime: node\n    envVars:\n",
            lambda at: f"      - {{key: K{at}, fromDatabase: {{name: d{at}, property: host}}}}\n",
            size=SIZE // 2,
        )
    }
    related = "".join(f"      r{at}: 'db:postgresql'\n" for at in range(300))
    yield "relationships of Upsun", {
        ".upsun/config.yaml": grown(
            "services:\n  db: {type: 'postgresql:16'}\napplications:\n",
            lambda at: f"  a{at}:\n    type: nodejs:20\n    relationships:\n{related}",
        )
    }
    yield "services of Upsun", {
        ".upsun/config.yaml": grown("services:\n", lambda at: f"  d{at}: {{type: 'postgresql:16'}}\n", size=SIZE // 2)
        + grown(
            "applications:\n  a:\n    type: nodejs:20\n    relationships:\n",
            lambda at: f"      r{at}: 'd{at}:postgresql'\n",
            size=SIZE // 2,
        )
    }
    yield "aliases of Helm", {
        "chart/Chart.yaml": grown(
            "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n",
            lambda at: f"  - {{name: postgresql, alias: d{at}, version: 1.2.3, condition: d{at}.enabled}}\n",
        ),
        "chart/values.yaml": "db: {enabled: true}\n",
    }
    yield "values of Helm", {
        "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies: [{name: postgresql, version: 1.2.3}]\n",
        "chart/values.yaml": grown("", lambda at: f"p{at}: {{image: {{repository: postgres, tag: 16.4}}}}\n"),
    }
    workload = (
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d{0}}}\nspec: {{template: {{metadata: "
        "{{labels: {{app: d{0}}}}}, spec: {{containers: [{{name: a, image: 'redis:7.2.5'}}]}}}}}}\n"
    )
    service = "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s{0}}}\nspec: {{selector: {{app: d{0}}}}}\n"
    yield "services and workloads of Kubernetes", {
        "k.yaml": endless("", workload.format, size=SIZE // 2) + endless("", service.format, size=SIZE // 2)
    }
    yield "maps for many workloads of Kubernetes", {
        "k.yaml": endless(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: all}\ndata: {"
            + ", ".join(f"K{at}: v" for at in range(1000))
            + "}\n",
            lambda at: f"---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{at}}}\nspec: {{containers: "
            "[{name: a, image: shop, envFrom: [{configMapRef: {name: all}}]}]}\n",
        )
    }
    yield "images of Kustomize", {
        "kustomization.yaml": grown("resources: [k.yaml]\nimages:\n", lambda at: f"  - {{name: i{at}, newTag: x}}\n", size=SIZE // 2),
        "k.yaml": endless("", workload.format, size=SIZE // 2),
    }
    yield "operators of Kubernetes", {
        "k.yaml": endless(
            "",
            lambda at: f"---\napiVersion: postgresql.cnpg.io/v1\nkind: Database\nmetadata: {{name: d{at}}}\n"
            f"spec: {{name: d{at}, owner: o{at}, cluster: {{name: db}}}}\n",
            "---\napiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: db}\n"
            "spec: {imageName: 'ghcr.io/cloudnative-pg/postgresql:16.4'}\n",
        )
    }
    yield "locals of Terraform, each in the next", {
        "main.tf": grown("locals {\n  a0 = 1\n", lambda at: f'  a{at + 1} = "${{local.a{at}}}"\n', "}\n")
    }
    yield "locals of Terraform, each twice the one before", {
        "main.tf": "locals {\n  a0 = [1, 2]\n"
        + doubled(lambda at: f"  a{at} = [local.a{at - 1}, local.a{at - 1}]\n")
        + '}\nresource "aws_db_instance" "db" {\n  engine = "postgres"\n  engine_version = local.a39\n}\n'
    }
    database = 'resource "aws_db_instance" "d{0}" {{\n  engine = "postgres"\n  parameter_group_name = aws_db_parameter_group.g{0}.name\n}}\n'
    group = 'resource "aws_db_parameter_group" "g{0}" {{\n  family = "postgres16"\n}}\n'
    yield "databases and groups of Terraform", {
        "main.tf": endless("", database.format, size=SIZE // 2) + endless("", group.format, size=SIZE // 2)
    }
    yield "for_each over a large map", {
        "main.tf": grown("locals {\n  m = {\n", lambda at: f"    k{at} = 1\n", "  }\n}\n")
        + 'resource "aws_db_instance" "db" {\n  for_each = local.m\n  engine = "postgres"\n  engine_version = "16.4"\n}\n'
    }
    yield "for over for of Terraform", {
        "main.tf": "locals {\n  m = [" + "1, " * 2000 + "1]\n  a = [for x in local.m : [for y in local.m : [for z in local.m : x]]]\n}\n"
    }
    yield "modules of Terraform that use each other", {
        f"{name}main.tf": 'module "a" {\n  source = "./m"\n}\nmodule "b" {\n  source = "./m"\n}\n'
        for name in ["", *("m/" * at for at in range(1, 20))]
    }
    yield "objects of HCL", {"main.tf": grown("locals {\n  a = {\n", lambda at: f"    k{at} = {{ b = 1 }}\n", "  }\n}\n")}
    yield "jobs of Nomad", {
        "a.nomad": endless(
            'job "a" {\n',
            lambda at: f'group "g{at}" {{\ntask "t{at}" {{\nconfig {{ image = "redis:7.2.5" }}\n}}\n}}\n',
            "}\n",
        )
    }
    shown = '{{"type": "aws_db_instance", "name": "d{0}", "values": {{"engine": "postgres", "engine_version": "16.4"}}}}'
    yield "JSON of Terraform", {
        "shown.json": grown(
            '{"format_version": "1.0", "values": {"root_module": {"resources": [' + shown.format("x"),
            lambda at: ", " + shown.format(at),
            "]}}}",
        )
    }
    yield "JSON of CloudFormation", {
        "a.template.json": grown(
            '{"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"X": {}',
            lambda at: f', "D{at}": {{"Type": "AWS::RDS::DBInstance", "Properties": {{"Engine": "postgres"}}}}',
            "}}",
        )
    }
    yield "!Sub and parameters of CloudFormation", {
        "template.yaml": "AWSTemplateFormatVersion: '2010-09-09'\nParameters:\n  V: {Type: String, Default: "
        + "x" * 1000
        + "}\nResources:\n"
        + grown("", lambda at: f"  D{at}: {{Type: 'AWS::RDS::DBInstance', Properties: {{DBName: !Sub '${{V}}'}}}}\n")
    }
    yield "JSON of ECS", {
        "task.json": grown(
            '{"family": "a", "containerDefinitions": [{"name": "x", "image": "shop"}',
            lambda at: f', {{"name": "d{at}", "image": "redis:7.2.5"}}',
            "]}",
        )
    }
    yield "JSON of Heroku", {
        "app.json": grown('{"addons": ["heroku-postgresql"', lambda at: ', "heroku-postgresql"', "]}")
    }
    yield "accessories of Kamal", {
        "config/deploy.yml": grown(
            "service: a\nimage: a/b\nservers: [1.2.3.4]\naccessories:\n", lambda at: f"  d{at}: {{image: 'redis:7.2.5'}}\n"
        )
    }
    yield "services of Cloud Foundry", {
        "manifest.yml": grown("applications:\n  - name: a\n    services:\n", lambda at: f"      - s{at}\n")
    }
    yield "variables of Cloud Foundry", {
        "manifest.yml": grown("applications:\n  - name: a\n    env:\n", lambda at: f"      K{at}: ((v{at}))\n", size=SIZE // 2),
        "vars.yml": grown("", lambda at: f"v{at}: x\n", size=SIZE // 2),
    }
    yield "databases of DigitalOcean", {
        ".do/app.yaml": grown("name: a\ndatabases:\n", lambda at: f"  - {{name: d{at}, engine: PG}}\n", size=SIZE // 2)
        + grown(
            "services:\n  - name: web\n    envs:\n",
            lambda at: f"      - {{key: K{at}, value: '${{d{at}.DATABASE_URL}}'}}\n",
            size=SIZE // 2,
        )
    }
    long = "x" * 400_000
    yield "one long text in many places", {
        "k.yaml": endless(
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: all}}\ndata: {{A: {long}}}\n",
            lambda at: f"---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{at}}}\nspec: {{containers: "
            "[{name: a, image: shop, envFrom: [{configMapRef: {name: all}}]}]}\n",
        )
    }
    yield "one long name in many places", {
        "score.yaml": grown(
            "apiVersion: score.dev/v1b1\nmetadata: {name: a}\nresources: {d: {type: postgres, id: " + long + "}}\n"
            "containers:\n  web:\n    image: a\n    variables:\n",
            lambda at: f"      K{at}: ${{resources.d.host}}\n",
        )
    }
    yield "one long prefix of many names", {
        "kustomization.yaml": f"resources: [k.yaml]\nnamePrefix: {long}\n",
        "k.yaml": endless("", workload.format, size=SIZE // 2),
    }
    yield "variables of DigitalOcean that multiply", {
        ".do/app.yaml": "name: a\nenvs:\n  - {key: A0, value: " + "x" * 1000 + "}\n"
        + doubled(lambda at: f"  - {{key: A{at}, value: '" + f"${{A{at - 1}}}" * 500 + "'}\n", 6)
        + "databases: [{name: db, engine: PG}]\n"
    }
    yield "resources of Score", {
        "score.yaml": grown(
            "apiVersion: score.dev/v1b1\nmetadata: {name: a}\nresources:\n",
            lambda at: f"  d{at}: {{type: postgres}}\n",
            size=SIZE // 2,
        )
        + grown(
            "containers:\n  web:\n    image: a\n    variables:\n",
            lambda at: f"      K{at}: ${{resources.d{at}.host}}\n",
            size=SIZE // 2,
        )
    }
    yield "instances of NAIS", {
        "nais.yaml": grown(
            "apiVersion: nais.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec:\n  image: a\n  redis:\n",
            lambda at: f"    - {{instance: r{at}}}\n",
        )
    }
    yield "services.yaml with variables", {
        "services.yaml": grown("services:\n", lambda at: f"  d{at}: {{kind: redis, version: 7.2.5}}\n", size=SIZE // 2)
        + grown("variables:\n", lambda at: f"  K{at}: ${{d{at}.url}}\n", size=SIZE // 2)
    }
    yield "services.yaml with databases and users", {
        "services.yaml": "services:\n  db:\n    kind: postgres\n    version: '16.4'\n    databases:\n"
        + grown("", lambda at: f"      - d{at}\n", size=SIZE // 2)
        + grown("    users:\n", lambda at: f"      u{at}: {{}}\n", size=SIZE // 2)
    }
    yield "services.yaml with settings", {
        "services.yaml": grown(
            "services:\n  db:\n    kind: postgres\n    version: '16.4'\n    settings:\n", lambda at: f"      s{at}: 1\n"
        )
    }
    yield "services.local.yaml over many services", {
        "services.yaml": grown("services:\n", lambda at: f"  d{at}: {{kind: redis, version: 7.2.5}}\n", size=SIZE // 2),
        "services.local.yaml": grown("services:\n", lambda at: f"  d{at}: {{version: 7.2.4}}\n", size=SIZE // 2),
    }
    yield "services.local.yaml that leaves out", {
        "compose.yaml": grown("services:\n", lambda at: f"  d{at}: {{image: 'redis:7.2.5'}}\n", size=SIZE // 2),
        "services.local.yaml": grown("leave_out:\n", lambda at: f"  - d{at}\n", size=SIZE // 2),
    }
    yield "a kind whose templates loop", {
        "services.yaml": "services: {a: {kind: own, version: 1.2.3}}\n",
        ".devenv/kinds/own.yaml": "name: own\ntitle: Own\nprotocol: tcp\nimage: docker.io/a/own\nport: 1\n"
        "exact_parts: [[0, 3]]\nnames: [own]\nfamilies: [{name: official, images: [docker.io/a/own], data: [], "
        "command: [\"{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}\"]}]\n"
        "fields: {url: \"{{ '%99999d'|format(1) }}\", host: '{{ host }}', port: '{{ port }}'}\n",
    }


def repositories():
    """Name and files of whole repositories."""
    yield "10,000 files of Compose", {
        "compose.yaml": "include:\n" + "".join(f"  - f{at}.yaml\n" for at in range(10_000)),
        **{f"f{at}.yaml": f"services: {{s{at}: {{image: 'redis:7.2.5'}}}}\n" for at in range(10_000)},
    }
    yield "10,000 files of Kubernetes", {
        f"k8s/{at}.yaml": f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p{at}}}\nspec: {{containers: [{{name: a, image: 'redis:7.2.5'}}]}}\n"
        for at in range(10_000)
    }
    yield "30,000 files in a folder of Terraform", {
        f"infra/{at}.tf": f'resource "aws_db_instance" "d{at}" {{\n  engine = "postgres"\n}}\n' for at in range(30_000)
    }
    yield "30 files of 1 MB", {
        f"k8s/{number}.yaml": endless(
            "", lambda at, number=number: f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}-{at}}}\ndata: {{A: b}}\n"
        )
        for number in range(30)
    }
    yield "a tree of kustomizations", {
        **{f"k{at}/kustomization.yaml": f"resources: [../k{at + 1}, ../k{at + 1}, ../k{at + 1}]\n" for at in range(14)},
        "k14/kustomization.yaml": "resources: []\n",
        "kustomization.yaml": "resources: [k0]\n",
    }
    yield "5,000 init scripts", {
        "compose.yaml": "services:\n  db:\n    image: postgres:16.4\n    volumes: ['./init:/docker-entrypoint-initdb.d']\n",
        **{f"init/{at}.sql": f"CREATE EXTENSION a{at};\n" for at in range(5_000)},
    }
    yield "one init folder of 30 MB for 100 services", {
        "compose.yaml": "services:\n"
        + "".join(
            f"  s{at}:\n    image: postgres:16.4\n    volumes: ['./init:/docker-entrypoint-initdb.d']\n" for at in range(100)
        ),
        **{f"init/{at}.sql": endless("", lambda at: f"CREATE EXTENSION a{at};\n") for at in range(30)},
    }
    yield "every format at once, 1 MB each", {
        path: text for name, files in inputs() for path, text in files.items() if len(text) > SIZE // 2
    }
