//! A whole repository out of the fuzzer's bytes: files of every format, links and FIFOs, read as `manifest` and `plan` do.
//!
//! Each byte is a choice, so that a small change of the input is a small change of the repository. Beside it lies a tree
//! that nothing may read or change, and in the repository nothing may change either.

use devenv::machine::Key;
use devenv::manifest::{self, Request, Strictness};
use devenv::model::Observed;
use devenv::plan::{self, FixedPorts, Identity};
use devenv::project::Budget;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What lies outside, and must be in nothing that is read.
const MARK: &str = "outside-of-the-repository";

/// Names that discovery looks at, or that files name.
const NAMES: &[&str] = &[
    "compose.yaml",
    "docker-compose.prod.yml",
    "compose.override.yaml",
    "services.yaml",
    "services.local.yaml",
    "services.lock",
    ".env",
    "db.env",
    "Dockerfile",
    "web/Dockerfile",
    "init/1.sql",
    "conf/postgresql.conf",
    "k8s/db.yaml",
    "k8s/kustomization.yaml",
    "base/kustomization.yaml",
    "base/db.yaml",
    "Chart.yaml",
    "values.yaml",
    "main.tf",
    "db/main.tf",
    "prod.tfvars",
    "shown.json",
    "template.yaml",
    "task.json",
    "job.nomad",
    ".platform/services.yaml",
    ".platform.app.yaml",
    ".upsun/config.yaml",
    "render.yaml",
    ".do/app.yaml",
    "app.json",
    "heroku.yml",
    "scalingo.json",
    "config/deploy.yml",
    ".kamal/secrets",
    "manifest.yml",
    "vars.yml",
    ".nais/nais.yaml",
    ".nais/prod.yaml",
    "score.yaml",
    "fly.toml",
    "railway.toml",
    ".devenv/kinds/own.yaml",
    ".devenv/kinds/other.yaml",
    "package.json",
    ".tool-versions",
    ".nvmrc",
    "pyproject.toml",
    "Gemfile",
    "Gemfile.lock",
    "config/database.yml",
    "config/environments/development.rb",
    "manage.py",
    "web/settings.py",
    "application.properties",
    "src/main/resources/application.yml",
    "artisan",
    ".env.example",
    ".gitignore",
    "rust-toolchain.toml",
    "go.mod",
];

/// Texts of the formats, each valid as it stands.
const TEXTS: &[&str] = &[
    "services:\n  db:\n    image: postgres:16.4\n    environment: {POSTGRES_DB: \"${A:-shop}\", POSTGRES_PASSWORD: x}\n    env_file: db.env\n    volumes: [\"./init:/docker-entrypoint-initdb.d\", \"./conf/postgresql.conf:/etc/postgresql/postgresql.conf\"]\n  web:\n    build: .\n    extends: {file: compose.override.yaml, service: web}\n    environment: {DATABASE_URL: \"postgres://shop:${B}@db/shop\"}\n",
    "include: [docker-compose.prod.yml, {path: compose.override.yaml, env_file: db.env}]\nservices:\n  cache: {image: \"redis:7.2.5\", command: [redis-server, --maxmemory, 1gb]}\n",
    "name: shop\nservices:\n  db: {kind: postgres, version: \"16.4\", databases: [shop], settings: {max_connections: 200}}\n  own: {kind: own, version: \"1.2.3\"}\nvariables: {DATABASE_URL: \"${db.url}\", LEVEL: info}\nkinds: [.devenv/kinds/own.yaml]\n",
    "from: [compose.yaml, k8s]\nservices: {db: {version: \"16.5\"}}\nvariables: {A: b, DATABASE_URL: \"${db.url}\"}\nseeds: {db: [init/1.sql]}\nbranch: git\n",
    "A=0123456789\nB=$A${A}\nC='x y'\nD=\"$B$B$B\"\nCOMPOSE_FILE=compose.yaml:docker-compose.prod.yml\nexport E=${F:-$D}\n",
    "ARG V=16\nARG W=${V}.4\nFROM golang AS build\nRUN <<EOF\nx\nEOF\nFROM postgres:${W} AS base\nFROM base\nCOPY --from=build /a /b\nCMD [\"postgres\", \"-c\", \"fsync=off\"]\n",
    "CREATE EXTENSION IF NOT EXISTS pg_trgm;\nCREATE TABLE a (b int);\n",
    "max_connections = 200\nshared_preload_libraries = 'a,b' # c\n[mysqld]\nmax_connections=3\n",
    "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db, namespace: x}\nspec:\n  template:\n    metadata: {labels: {app: db}}\n    spec:\n      containers:\n        - name: postgres\n          image: postgres:16.4\n          args: [\"-c\", \"max_connections=$(A)\"]\n          env: [{name: A, value: \"1\"}, {name: B, value: \"$(A)$(A)\"}]\n          envFrom: [{configMapRef: {name: all, optional: true}}]\n---\napiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {selector: {app: db}, ports: [{port: 5432}]}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: all}\ndata: {DATABASE_URL: \"postgres://db/x\"}\n",
    "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../base, db.yaml]\nimages: [{name: postgres, newTag: \"16.5\"}]\nnamePrefix: a-\nconfigMapGenerator: [{name: all, envs: [../.env], literals: [A=b]}]\n",
    "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: db}\nspec: {imageName: \"ghcr.io/cloudnative-pg/postgresql:16.4\", bootstrap: {initdb: {database: a, owner: b}}, postgresql: {parameters: {work_mem: 8MB}}}\n",
    "apiVersion: v2\nname: shop\nversion: 1.0.0\nappVersion: \"1.0\"\ndependencies: [{name: postgresql, alias: db, version: 1.2.3, condition: db.enabled}, {name: redis, version: 1.0.0}]\n",
    "db: {enabled: true, image: {repository: bitnami/postgresql, tag: \"16.4.0\"}, auth: {database: a, username: b}}\nredis: {image: {tag: \"7.2.5\"}}\n",
    "variable \"v\" { default = \"16.4\" }\nlocals {\n  a = { x = 1, y = 2 }\n  b = [for k, v in local.a : \"${k}-${v}\"]\n  c = replace(join(\",\", local.b), \"x\", var.v)\n}\nresource \"aws_db_instance\" \"db\" {\n  for_each = local.a\n  engine = \"postgres\"\n  engine_version = var.v\n  parameter_group_name = aws_db_parameter_group.p.name\n}\nresource \"aws_db_parameter_group\" \"p\" {\n  family = \"postgres16\"\n  dynamic \"parameter\" {\n    for_each = local.a\n    content {\n      name = parameter.key\n      value = parameter.value\n    }\n  }\n}\nmodule \"m\" {\n  source = \"./db\"\n  v = local.c\n}\n",
    "v = \"17.1\"\nlist = [1, 2]\n",
    "{\"format_version\": \"1.0\", \"values\": {\"root_module\": {\"resources\": [{\"type\": \"aws_db_instance\", \"name\": \"db\", \"values\": {\"engine\": \"postgres\", \"engine_version\": \"16.4\"}}]}}}",
    "AWSTemplateFormatVersion: \"2010-09-09\"\nParameters: {V: {Type: String, Default: \"16.4\"}}\nResources:\n  Db: {Type: \"AWS::RDS::DBInstance\", Properties: {Engine: postgres, EngineVersion: !Ref V, DBName: !Sub \"a-${V}\"}}\n",
    "{\"family\": \"a\", \"containerDefinitions\": [{\"name\": \"db\", \"image\": \"postgres:16.4\", \"environment\": [{\"name\": \"A\", \"value\": \"b\"}], \"secrets\": [{\"name\": \"C\", \"valueFrom\": \"d\"}]}]}",
    "job \"a\" {\n  group \"b\" {\n    task \"db\" {\n      driver = \"docker\"\n      config { image = \"postgres:16.4\" }\n      env { A = \"b\" }\n    }\n  }\n}\n",
    "db: {type: \"postgresql:16\", configuration: {databases: [a], endpoints: {x: {default_database: a}}}}\n",
    "name: web\ntype: nodejs:20\nrelationships: {database: \"db:x\", other: {service: db, endpoint: x}}\nvariables: {env: {A: b}}\n",
    "services: {db: {type: \"postgresql:16\"}}\napplications: {web: {type: \"nodejs:20\", relationships: {db:, x: \"db:postgresql\"}}}\n",
    "databases: [{name: db, postgresMajorVersion: \"16\"}]\nservices: [{name: web, type: web, runtime: node, envVars: [{key: A, fromDatabase: {name: db, property: connectionString}}, {fromGroup: g}]}]\nenvVarGroups: [{name: g, envVars: [{key: B, value: c}]}]\n",
    "name: a\nservices: [{name: web, envs: [{key: A, value: \"${db.DATABASE_URL}\"}]}]\ndatabases: [{name: db, engine: PG, version: \"16\"}]\n",
    "{\"name\": \"a\", \"addons\": [{\"plan\": \"heroku-postgresql\", \"as\": \"DB\", \"options\": {\"version\": \"16\"}}], \"env\": {\"A\": {\"value\": \"b\"}}}",
    "service: a\nimage: a/b\nservers: [1.2.3.4]\naccessories: {db: {image: \"postgres:16.4\", env: {clear: {A: <%= ENV[\"A\"] %>}, secret: [B]}, port: 5432}}\nenv: {clear: {C: $D}, secret: [E]}\n",
    "applications: [{name: a, services: [db], env: {A: ((b))}}]\n",
    "apiVersion: nais.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {image: \"{{ image }}\", gcp: {sqlInstances: [{type: POSTGRES_16, databases: [{name: a}]}]}, env: [{name: B, value: \"{{ c.d }}\"}]}\n",
    "apiVersion: score.dev/v1b1\nmetadata: {name: a}\ncontainers: {web: {image: a, variables: {A: \"${resources.db.host}\"}}}\nresources: {db: {type: postgres}}\n",
    "name: own\ntitle: Own\nprotocol: tcp\nimage: docker.io/a/own\nport: 6379\nexact_parts: [[0, 3]]\nnames: [own]\nderived: [own]\nfamilies: [{name: official, images: [docker.io/a/own], data: [[0, /data]], command: [\"{{ 'x' * 9 }}\"], files: [{path: /a, content: \"{% for s in settings %}{{ s.name }}{% endfor %}\"}]}]\nfields: {url: \"tcp://{{ host }}:{{ port }}\", host: \"{{ host }}\", port: \"{{ port }}\"}\n",
    "{\"name\": \"a\", \"engines\": {\"node\": \"^20\"}, \"packageManager\": \"pnpm@9.1.0\"}",
    "nodejs 20.1.0\npython 3.12.1 3.11\n",
    "[project]\nrequires-python = \">=3.10,<4\"\n[tool.poetry.dependencies]\npython = \"^3.11\"\n",
    "ruby \"~> 3.2.0\"\n",
    "development:\n  adapter: sqlite3\n  url: <%= ENV[\"A\"] %>\n",
    "DATABASES = {\"default\": {\"ENGINE\": \"django.db.backends.sqlite3\"}}\nCACHES = {\"default\": {\"BACKEND\": \"django.core.cache.backends.locmem.LocMemCache\"}}\n",
    "spring.datasource.url=jdbc:h2:mem:a\nspring.profiles.active=dev\n",
    "version: 1\nservices: {db: {image: \"docker.io/library/postgres:16.4\", digest: \"sha256:00\"}}\n",
    "",
];

/// What is put into texts: what the formats give a meaning, and what is long or deep.
const TOKENS: &[&str] = &[
    "${A}",
    "$A$A",
    "${A:-${B}}",
    "$(A)$(A)",
    "{{ x }}",
    "{{",
    "}}",
    "<%= x %>",
    "((b))",
    "&a ",
    "*a",
    "<<: *a\n",
    "!reset ",
    "!Ref A",
    "- ",
    ": ",
    "\n",
    "\n---\n",
    "'",
    "\"",
    "\\",
    "#",
    "[",
    "]",
    "{",
    "}",
    "\t",
    "\u{feff}",
    "\0",
    "\u{202e}",
    "\u{1b}[31m",
    "ü",
    "../",
    "../../outside/secret",
    "/etc/passwd",
    ".",
    "~",
    "null",
    "true",
    "-1",
    "99999999999999999999",
    "1e999",
    "0x",
    "postgres",
    "postgres:16",
    "redis:7.2.5",
    "rabbitmq:3.13",
    "mysql:8.4",
    "mongo",
    "@sha256:00",
    ":latest",
    "image: ",
    "extends: web\n",
    "include: [compose.yaml]\n",
    "env_file: .env\n",
    "services:\n",
    "resources: [.]\n",
    "for_each",
    "count = 3\n",
    "local.a",
    "format(\"%s\", local.a)",
    "replace(",
    "range(9)",
    "'%099999d'|format(1)",
    "kind: List\nitems:\n",
];

/// The fuzzer's bytes, taken as choices one after the other; zeros where there are no more.
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, end: usize) -> usize {
        (usize::from(self.byte()) << 8 | usize::from(self.byte())) % end.max(1)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Makes the repository, reads it, and checks what must hold.
pub fn read(data: &[u8]) {
    let scratch = TempDir::new().expect("a temporary folder");
    let (outside, checkout) = (scratch.path().join("outside"), scratch.path().join("checkout"));
    fs::create_dir_all(&outside).expect("a folder");
    for (name, text) in
        [("secret", format!("A={MARK}\n")), ("compose.yaml", format!("services: {{{MARK}: {{image: x}}}}\n"))]
    {
        fs::write(outside.join(name), text).expect("a file");
    }
    fs::create_dir_all(checkout.join(".git")).expect("a folder");
    let mut choices = Choices(data);
    for _ in 0..=choices.below(12) {
        put(&checkout, &mut choices);
    }
    let before = (listed(&outside), listed(&checkout));
    let files = match choices.below(4) {
        0 => vec![PathBuf::from(choices.one_of(NAMES))],
        1 => vec![PathBuf::from(choices.one_of(&["k8s", "base", ".", "db"]))],
        _ => Vec::new(),
    };
    let request = Request {
        folder: checkout.clone(),
        folder_is_root: choices.byte() % 2 == 0,
        files,
        environment: [("A", "0123456789"), ("TF_VAR_v", "17")].map(|(name, value)| (name.into(), value.into())).into(),
        ..Request::default()
    };
    if let Ok(reading) = manifest::read(&request) {
        // What is over is counted before it is refused.
        let spent = reading.budget.spent();
        assert!(spent.is_within(3), "{spent:?}");
        let refusals = manifest::refusals(&reading.stack, &reading.kinds, Strictness::Usual);
        let _ = manifest::disagreements(&reading.stack.variables);
        let told = manifest::json(&reading, &refusals).to_string();
        assert!(!told.contains(MARK), "something outside was read: {told}");
        let _ = manifest::lines(&reading);
        let _ = manifest::gathered(refusals);
        planned(&reading);
        let _ = manifest::adapters(&reading.root, &reading.stack, &reading.kinds, &reading.budget);
    }
    let _ = manifest::tools(&checkout, &Budget::default());
    assert_eq!(before, (listed(&outside), listed(&checkout)), "something was written");
}

/// The pure part of `plan`, on an engine that has nothing.
fn planned(reading: &manifest::Reading) {
    let identity = Identity::of_checkout(&reading.stack.project, &reading.root, Key::from_bytes([7; 32]));
    let observed = Observed::default();
    let (passwords, fresh) = (BTreeMap::new(), BTreeSet::new());
    let desired = plan::desired(
        &reading.stack,
        &plan::Request {
            kinds: &reading.kinds,
            identity: &identity,
            observed: &observed,
            passwords: &passwords,
            fresh: &fresh,
            is_free: &|_, _| true,
            fixed_ports: FixedPorts::Named,
            cold: false,
            clone_mode: None,
            source: None,
        },
    );
    if let Ok(desired) = desired {
        let _ = plan::diff(&desired, &observed, &fresh);
    }
}

/// One file, link or FIFO more.
fn put(checkout: &Path, choices: &mut Choices<'_>) {
    let path = checkout.join(choices.one_of(NAMES));
    let folder = path.parent().expect("a folder");
    // A link or a file may stand in the way of a folder by now, and that is fine; nothing is made through a link.
    let is_inside = |folder: &Path| folder.canonicalize().is_ok_and(|real| real.starts_with(checkout));
    if fs::create_dir_all(folder).is_err() || !is_inside(folder) || path.symlink_metadata().is_ok() {
        return;
    }
    match choices.below(16) {
        0 => {
            let up = "../".repeat(path.strip_prefix(checkout).expect("inside").components().count());
            let target = match choices.below(7) {
                0 => format!("{up}outside/secret"),
                1 => format!("{up}outside/compose.yaml"),
                2 => format!("{up}outside"),
                3 => "/dev/zero".to_owned(),
                4 => path.display().to_string(),
                5 => ".".to_owned(),
                _ => checkout.join(choices.one_of(NAMES)).display().to_string(),
            };
            let _ = symlink(target, &path);
        }
        1 => {
            let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
            let _ = rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0);
        }
        2 => {
            let _ = symlink(
                checkout.join(choices.one_of(&["k8s", "base", "db", "init", ".", "..", "../outside"])),
                folder.join("linked"),
            );
        }
        _ => {
            let text = text(choices);
            let _ = fs::write(&path, text);
        }
    }
}

/// A text of some format with some changes.
fn text(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut text = choices.one_of(TEXTS).as_bytes().to_vec();
    for _ in 0..choices.below(6) {
        let at = choices.below(text.len() + 1);
        match choices.below(6) {
            0 => drop(text.splice(at..at, choices.one_of(TOKENS).bytes())),
            1 => {
                let more = choices.one_of(TOKENS).repeat(choices.below(2000));
                drop(text.splice(at..at, more.bytes()));
            }
            2 => {
                let end = (at + choices.below(30)).min(text.len());
                drop(text.drain(at..end));
            }
            3 => {
                let length = choices.below(40);
                let raw = choices.take(length);
                drop(text.splice(at..at, raw.iter().copied()));
            }
            4 => text.extend(choices.one_of(TEXTS).bytes()),
            _ => {
                let end = (at + choices.below(60)).min(text.len());
                let again = text[at..end].repeat(choices.below(300));
                drop(text.splice(at..at, again));
            }
        }
        text.truncate(1 << 20);
    }
    text
}

/// Every entry below a folder with what it holds; links are not followed.
fn listed(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().expect("a type"));
        if kind.is_dir() {
            all.extend(listed(&path));
            all.insert(path, b"a folder".to_vec());
        } else if kind.is_file() {
            let bytes = fs::read(&path).unwrap_or_default();
            all.insert(path, bytes);
        } else {
            all.insert(path, b"a link or a FIFO".to_vec());
        }
    }
    all
}
