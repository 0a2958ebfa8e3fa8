//! Tests of heads: the data of each git branch, and the heads of environments whose data is deleted.

use super::*;

fn on(branch: &str) -> Identity {
    Identity { branch: Some(branch.to_owned()), ..identity() }
}

fn decide_on(branch: &str, stack: &Stack, observed: &Observed) -> Desired {
    decide_as(&on(branch), stack, observed, &BTreeMap::new())
}

/// The state of the engine once the head is written and the services have their volumes. Nothing is removed.
fn converged(desired: &Desired, mut before: Observed) -> Observed {
    let after = running(desired);
    before.images.extend(after.images);
    before
        .volumes
        .extend(after.volumes.into_iter().filter(|new| before.volume(&new.name).is_none()).collect::<Vec<_>>());
    before.records.extend(after.records);
    before
}

fn postgres(version: &str) -> Service {
    service("db", "postgres", version)
}

#[test]
fn a_new_branch_has_nothing_to_finish_for_a_service_that_is_no_longer_declared() {
    let both = stack(vec![postgres("15.18"), service("cache", "redis", "7.0.15")]);
    let observed = converged(&decide_on("main", &both, &Observed::default()), Observed::default());
    let one = stack(vec![postgres("15.18")]);
    let desired = decide_on("feature", &one, &observed);
    let head = desired.transition.head.as_ref().and_then(Record::head).unwrap();
    assert_eq!(head.entries.len(), 2, "the data of the other service is not forgotten: {head:?}");
    assert!(!is_unfinished(&on("feature"), &converged(&desired, observed)));
}

#[test]
fn a_request_for_a_service_that_is_no_longer_declared_ends_with_the_next_up() {
    let both = stack(vec![postgres("15.18"), service("cache", "redis", "7.0.15")]);
    let mut observed = converged(&decide_on("main", &both, &Observed::default()), Observed::default());
    let mut head = observed.records[0].record.head().unwrap().clone();
    let cache = head.entries.iter_mut().find(|entry| entry.service == "cache").unwrap();
    *cache = Entry { volumes: vec!["pending".into()], requested: true, ..cache.clone() };
    observed.records[0].record.kind = RecordKind::Head(head);
    assert!(is_unfinished(&on("main"), &observed));
    let desired = decide_on("main", &stack(vec![postgres("15.18")]), &observed);
    assert!(!is_unfinished(&on("main"), &converged(&desired, observed)));
}

#[test]
fn data_of_this_major_version_on_another_branch_does_not_replace_the_refusal() {
    let (old, new) = (stack(vec![postgres("15.18")]), stack(vec![postgres("17.2")]));
    let observed = converged(&decide_on("main", &old, &Observed::default()), Observed::default());
    let refused = |branch: &str, observed: &Observed| {
        diff(&decide_on(branch, &new, observed), observed, &BTreeSet::new()).err().map(|found| found[0].code)
    };
    assert_eq!(refused("feature", &observed), Some("data-of-another-major"));
    // `up --fresh db` on the other branch.
    let observed = converged(&decide_on("feature", &new, &observed), observed);
    assert_eq!(refused("feature", &observed), None);
    assert_eq!(refused("main", &observed), Some("data-of-another-major"));
}

#[test]
fn the_head_of_the_time_before_branches_is_replaced_and_its_kept_volumes_stay() {
    let plain = stack(vec![postgres("15.18")]);
    let mut observed = converged(&decide(&plain, &Observed::default()), Observed::default());
    let mut head = observed.records[0].record.head().unwrap().clone();
    head.kept = vec!["kept".into()];
    observed.records[0].record.kind = RecordKind::Head(head);
    let desired = decide_on("main", &plain, &observed);
    let next = desired.transition.head.as_ref().and_then(Record::head).unwrap();
    assert_eq!((next.branch.as_str(), next.kept.as_slice()), ("main", ["kept".to_owned()].as_slice()));
    assert_eq!(desired.transition.older, [observed.records[0].clone()]);
}

#[test]
fn deleted_data_that_another_environment_needs_stays_and_does_not_come_back() {
    let plain = stack(vec![postgres("15.18")]);
    let mut observed = converged(&decide(&plain, &Observed::default()), Observed::default());
    let data = observed.volumes[0].name.clone();
    // Another environment will begin with this data: its run was killed before it created the volume.
    let other = Identity::of_checkout("shop", Path::new("/other"), Key::from_bytes([7; 32]));
    let entry = Entry { volumes: vec!["theirs".into()], parent: Some(data.clone()), ..Entry::default() };
    let head = Head { sequence: 1, entries: vec![entry], ..Head::default() };
    let theirs = Record {
        name: "theirs".into(),
        scope: other.scope(),
        kind: RecordKind::Head(head),
        ..observed.records[0].record.clone()
    };
    observed.records.push(theirs.as_made());

    let plan = teardown(&identity(), &observed, true);
    let deleted = |name: &str| plan.names().any(|one| one == name);
    assert!(!deleted(&data) && deleted(&observed.records[0].record.volume()), "{:?}", print_plan(&plan));
    let [written] = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Write { record, .. } => record.head(),
            _ => None,
        })
        .collect::<Vec<_>>()[..]
    else {
        panic!("{:?}", print_plan(&plan))
    };
    assert!(written.entries.is_empty() && written.sequence == 2, "{written:?}");

    // The next `up` begins with fresh data under a new name, and `gc` removes the head once nothing needs the data.
    let record = empty_head(&plan);
    observed.records[0] = record.as_made();
    assert!(!has_data(&identity().name, &observed));
    let desired = decide(&plain, &observed);
    assert_eq!(desired.services[0].volumes[0].parent_spec, None);
    assert_ne!(desired.services[0].volumes[0].name, data);
    assert_eq!(garbage(&identity(), &observed, &|_| false, 1_000_000).names().count(), 0);
    observed.records.pop();
    let plan = garbage(&identity(), &observed, &|_| false, 1_000_000);
    assert_eq!(plan.names().collect::<Vec<_>>(), [data, record.volume()]);
}

fn empty_head(plan: &Plan) -> Record {
    let written = plan.steps.iter().find_map(|step| match &step.action {
        Action::Write { record, .. } => Some(*record.clone()),
        _ => None,
    });
    written.unwrap()
}

#[test]
fn data_of_an_unfinished_start_is_no_garbage_once_a_snapshot_names_it() {
    let plain = stack(vec![postgres("15.18")]);
    let desired = decide(&plain, &Observed::default());
    let volume = desired.services[0].volumes[0].clone();
    let mut observed = converged(&desired, Observed::default());
    let role = VolumeRole::Unproven(volume.name.clone());
    observed.volumes.push(Volume { name: volume.mark(), scope: volume.scope.clone(), role });
    let names = |observed: &Observed| garbage(&identity(), observed, &|_| false, 1_000_000).names().count();
    assert_eq!(names(&observed), 2);
    let data = BTreeMap::from([("db".to_owned(), volume.name)]);
    observed.records.push(saving("a", CloneMode::Copy, &data, &identity(), &observed).as_made());
    assert_eq!(names(&observed), 0);
}

#[test]
fn up_of_one_service_writes_the_head_that_says_which_branch_is_in_use() {
    let both = stack(vec![postgres("15.18"), service("cache", "redis", "7.0.15")]);
    let main = decide_on("main", &both, &Observed::default());
    let observed = converged(&main, Observed::default());
    let feature = decide_on("feature", &both, &observed);
    let observed = converged(&feature, observed);
    let back = decide_on("main", &both, &observed);
    let plan = diff(&back, &observed, &BTreeSet::new()).unwrap().of_services(&["db".to_owned()]);
    assert!(plan.steps.iter().any(|step| matches!(step.action, Action::Write { .. })), "{:?}", print_plan(&plan));
}
