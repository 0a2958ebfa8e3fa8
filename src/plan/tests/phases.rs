//! The phases of `up` as a table: the state of the engine, and the next phase.

use super::*;

/// The options of a run, and the phases that are finished.
#[derive(Clone, Copy, Default)]
struct Case {
    cold: bool,
    bases_first: bool,
    needs_image: bool,
    clone_mode: Option<CloneMode>,
    progress: Progress,
}

fn phase(stack: &Stack, identity: &Identity, observed: &Observed, case: Case) -> String {
    let (kinds, passwords, fresh) = (Kinds::built_in().unwrap(), BTreeMap::new(), BTreeSet::new());
    let request = Request {
        kinds: &kinds,
        identity,
        observed,
        passwords: &passwords,
        fresh: &fresh,
        is_free: &|_, _| true,
        fixed_ports: FixedPorts::Claimed,
        source: None,
        cold: case.cold,
        clone_mode: case.clone_mode,
    };
    let desired = desired(stack, &request).unwrap();
    let plan = diff(&desired, observed, &fresh).unwrap();
    let situation = Situation {
        stack,
        identity,
        observed,
        desired: &desired,
        plan: &plan,
        bases: &|| stack.services.iter().filter_map(|service| base(service, &request)).collect(),
        clone_mode: case.clone_mode,
        cold: case.cold,
        bases_first: case.bases_first,
        needs_image: case.needs_image,
    };
    match next(&situation, case.progress) {
        Phase::Pull(plan) => format!("pull {}", plan.steps.len()),
        Phase::StopOtherBranch => "stop the other branch".to_owned(),
        Phase::FindCloneMode(volume) => format!("find the clone mode with {}", volume.replace(&identity.name, "ENV")),
        Phase::MakeBases { services, again } => format!("bases of {services:?}, again {again:?}"),
        Phase::Converge(_) => "converge".to_owned(),
    }
}

fn seeded() -> Service {
    let source = SeedSource::File { path: "a.sql".into(), database: None };
    let seed = Seed { source, origin: origin(), digest: "digest".into() };
    Service { seeds: vec![seed], ..service("db", "postgres", "15.18") }
}

#[test]
fn each_phase_follows_from_the_state_of_the_engine() {
    let plain = stack(vec![service("db", "postgres", "15.18"), service("cache", "redis", "7.0.15")]);
    let seeds = stack(vec![seeded()]);
    let nothing = Observed::default();
    let runs = running(&decide(&plain, &nothing));
    let images_only = |runs: &Observed| Observed { images: runs.images.clone(), ..Observed::default() };
    let own = identity();
    let usual = Case::default();
    let table: [(&str, String, &str); 8] = [
        ("images are pulled in parallel with the starts", phase(&plain, &own, &nothing, usual), "converge"),
        ("a record needs an image", phase(&plain, &own, &nothing, Case { needs_image: true, ..usual }), "pull 2"),
        ("everything runs", phase(&plain, &own, &runs, usual), "converge"),
        ("a seeded service needs its image", phase(&seeds, &own, &nothing, usual), "pull 1"),
        (
            "seeds are loaded into a base first",
            phase(&seeds, &own, &images_only(&runs), usual),
            "bases of [\"db\"], again []",
        ),
        (
            "several environments begin with bases",
            phase(&plain, &own, &images_only(&runs), Case { bases_first: true, ..usual }),
            "bases of [\"db\"], again []",
        ),
        ("a single environment does not wait for bases", phase(&plain, &own, &images_only(&runs), usual), "converge"),
        (
            "a phase that the engine does not show is not repeated",
            phase(
                &seeds,
                &own,
                &images_only(&runs),
                Case {
                    progress: Progress::default().after(&Phase::MakeBases { services: vec![], again: vec![] }),
                    ..usual
                },
            ),
            "converge",
        ),
    ];
    for (case, found, expected) in table {
        assert_eq!(found, expected, "{case}");
    }
}

#[test]
fn a_switch_stops_the_other_branch_finds_the_clone_mode_and_converges() {
    let plain = stack(vec![service("cache", "redis", "7.0.15")]);
    let on = |branch: &str| Identity { branch: Some(branch.to_owned()), ..identity() };
    let mut observed = running(&decide(&plain, &Observed::default()));
    for container in &mut observed.containers {
        container.volumes = observed.volumes.iter().map(|volume| volume.name.clone()).collect();
    }
    assert_eq!(phase(&plain, &on("main"), &observed, Case::default()), "stop the other branch");
    observed.containers.iter_mut().for_each(|one| one.state = "exited".to_owned());
    assert_eq!(phase(&plain, &on("main"), &observed, Case::default()), "find the clone mode with ENV-cache");
    let known = Case { clone_mode: Some(CloneMode::Copy), ..Case::default() };
    assert_eq!(phase(&plain, &on("main"), &observed, known), "converge");
}
