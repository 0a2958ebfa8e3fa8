//! Keys of a Compose service that describe the container, not its server.

use crate::model::Support;

/// The support and the note for a key that describes the container, not its server. `None` for a key that Compose does
/// not know, or that is read elsewhere.
pub(super) fn of_container(key: &str) -> Option<(Support, &'static str)> {
    use Support::{Approximated, Reproduced, Unsupported};
    Some(match key {
        "container_name" | "hostname" | "links" => (Reproduced, "apps reach it by this name too"),
        "networks" | "expose" => (Approximated, "the environment has one network of its own"),
        "ports" => (Approximated, "published on loopback, at a port of the environment's own"),
        "healthcheck" => (Reproduced, "a login over the published port stands in for it"),
        "depends_on" => (Approximated, "services start in parallel, and each is checked by itself"),
        "restart" => (Unsupported, "a local server is started by `devenv up`"),
        "deploy" | "scale" => (Unsupported, "one server runs, without production's limits and replicas"),
        "mem_limit" | "mem_reservation" | "memswap_limit" | "mem_swappiness" | "cpus" | "cpu_shares" | "cpu_count"
        | "cpu_percent" | "cpu_period" | "cpu_quota" | "cpu_rt_period" | "cpu_rt_runtime" | "cpuset" | "pids_limit"
        | "blkio_config" | "oom_kill_disable" | "oom_score_adj" | "ulimits" | "cgroup" | "cgroup_parent" | "gpus" => {
            (Unsupported, "a local server runs without production's limits")
        }
        "shm_size" => (Unsupported, "the engine's default size of shared memory applies"),
        "logging" | "log_driver" | "log_opt" => (Unsupported, "`devenv logs` reads the engine's own log"),
        "labels" | "label_file" | "annotations" | "attach" | "develop" | "tty" | "stdin_open" | "pull_policy"
        | "storage_opt" | "credential_spec" | "provider" | "post_start" | "pre_stop" | "use_api_socket" => {
            (Unsupported, "of no use to a local server")
        }
        "cap_add"
        | "cap_drop"
        | "security_opt"
        | "read_only"
        | "userns_mode"
        | "group_add"
        | "sysctls"
        | "tmpfs"
        | "init"
        | "uts"
        | "runtime"
        | "isolation"
        | "device_cgroup_rules" => (Unsupported, "the container runs with the engine's own rules"),
        "user" => (Unsupported, "the image chooses the user, who owns the environment's volume"),
        "working_dir" => (Unsupported, "the image chooses its working directory"),
        "dns" | "dns_opt" | "dns_search" | "domainname" | "extra_hosts" | "mac_address" | "external_links" => {
            (Unsupported, "the environment has one network of its own")
        }
        "stop_signal" | "stop_grace_period" => (Approximated, "its kind defines how it is stopped cleanly"),
        "profiles" => (Reproduced, "the profile is active"),
        "privileged" | "devices" => (Unsupported, "refused: a manifest gets no rights over this machine"),
        "network_mode" | "pid" | "ipc" => (Unsupported, "refused: a manifest may not share this machine's namespaces"),
        "volumes_from" => (Unsupported, "volumes of other containers are not shared"),
        _ => return None,
    })
}

/// Keys of a service that are read one by one.
pub(super) const READ: &[&str] = &[
    "image",
    "build",
    "environment",
    "env_file",
    "command",
    "entrypoint",
    "volumes",
    "configs",
    "secrets",
    "platform",
    "extends",
];

/// The common keys of a service, for suggestions when a key is mistyped.
pub(super) const COMMON: &[&str] = &[
    "image",
    "build",
    "environment",
    "env_file",
    "command",
    "entrypoint",
    "volumes",
    "configs",
    "secrets",
    "platform",
    "extends",
    "container_name",
    "hostname",
    "networks",
    "expose",
    "ports",
    "healthcheck",
    "depends_on",
    "restart",
    "deploy",
    "ulimits",
    "logging",
    "labels",
    "user",
    "profiles",
    "privileged",
    "network_mode",
    "working_dir",
    "tmpfs",
    "stop_signal",
    "stop_grace_period",
    "shm_size",
    "links",
    "read_only",
    "security_opt",
    "cap_add",
    "cap_drop",
];
