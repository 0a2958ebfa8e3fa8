//! Tests of layers: the parents of fresh data, frozen volumes, restores, and garbage.

use super::*;

fn postgres() -> Service {
    service("db", "postgres", "15.18")
}

/// An engine that has the image and no data.
fn empty() -> Observed {
    let mut observed = running(&decide(&stack(vec![postgres()]), &Observed::default()));
    observed.containers.clear();
    observed.volumes.clear();
    observed
}

fn base_of(service: &Service, observed: &Observed) -> Option<Base> {
    let (kinds, identity) = (Kinds::built_in().unwrap(), identity());
    let (passwords, fresh) = (BTreeMap::new(), BTreeSet::new());
    let request = Request {
        kinds: &kinds,
        identity: &identity,
        observed,
        passwords: &passwords,
        fresh: &fresh,
        is_free: &|_, _| true,
        fixed_ports: FixedPorts::Claimed,
        source: None,
        cold: false,
        clone_mode: None,
    };
    base(service, &request)
}

/// The head that restores this data.
fn restoring_to(data: &BTreeMap<String, String>, desired: &Desired, observed: &Observed) -> Record {
    let (kinds, identity) = (Kinds::built_in().unwrap(), identity());
    let (passwords, fresh) = (BTreeMap::new(), BTreeSet::new());
    let request = Request {
        kinds: &kinds,
        identity: &identity,
        observed,
        passwords: &passwords,
        fresh: &fresh,
        is_free: &|_, _| true,
        fixed_ports: FixedPorts::Claimed,
        source: None,
        cold: false,
        clone_mode: None,
    };
    let to = data.iter().map(|(service, volume)| (service.clone(), Some(volume.clone()))).collect();
    restoring(&to, desired, &request).unwrap()
}

/// A record as the engine lists it after it was written.
fn written(record: &Record) -> ObservedRecord {
    let record = record.clone();
    ObservedRecord { id: format!("id of {}", record.name), has_volume: true, record, ..ObservedRecord::default() }
}

/// A container that was created and never started.
fn made(name: &str, scope: Scope, role: ContainerRole) -> Container {
    Container {
        id: format!("id of {name}"),
        name: name.into(),
        state: "created".into(),
        scope,
        role,
        ..Container::default()
    }
}

fn making(base: &Base, name: &str) -> Container {
    made(name, base.scope.clone(), ContainerRole::Making(base.key.clone()))
}

fn volume_of(base: &Base, name: &str) -> Volume {
    Volume { name: name.to_owned(), scope: base.scope.clone(), role: VolumeRole::Base(base.key.clone()) }
}

fn filling(name: &str, volume: &str) -> Container {
    made(name, Scope::default(), ContainerRole::Filling(volume.to_owned()))
}

/// A volume without an owner that is layered on this volume.
fn layered_on(layer: &str) -> Volume {
    let parent = Parent { layers: vec![layer.to_owned()], clone_mode: CloneMode::Overlay, folder: None };
    let role = VolumeRole::Data(Data { parent: Some(parent), ..Data::default() });
    Volume { name: "layered".into(), scope: Scope::default(), role }
}

fn with_base(mut observed: Observed, service: &Service) -> Observed {
    let base = base_of(service, &observed).unwrap();
    observed.records.push(written(&base.complete_record(Some(Owner { uid: 999, gid: 999, mode: 0o700 }))));
    observed
}

#[test]
fn fresh_data_begins_only_with_a_base_of_its_own_key() {
    let observed = with_base(empty(), &postgres());
    let desired = decide(&stack(vec![postgres()]), &observed);
    let service = &desired.services[0];
    let parent_spec = service.volumes[0].parent_spec.as_ref().unwrap();
    assert_eq!(parent_spec.clone_mode, CloneMode::Overlay);
    assert_eq!(parent_spec.owner, Some(Owner { uid: 999, gid: 999, mode: 0o700 }), "as the base's record says");
    let pinned_volumes = [format!("{}.top", service.volumes[0].name), base_of(&postgres(), &observed).unwrap().volume];
    assert_eq!(service.container.pinned_volumes, pinned_volumes);
    assert!(service.container.command.ends_with(&["-c".into(), "recovery_init_sync_method=syncfs".into()]));
    let (own, inherited) = (service.admin.as_ref().unwrap(), service.inherited.as_ref().unwrap());
    assert_eq!((&own.user, own.port), (&inherited.user, inherited.port));
    assert_ne!(own.password, inherited.password, "no environment has the password of a base");
    assert!(service.begins_inherited);

    let changed = Service { settings: vec![setting("max_connections", "7")], ..postgres() };
    let desired = decide(&stack(vec![changed]), &observed);
    assert_eq!((&desired.services[0].volumes[0].parent_spec, &desired.services[0].inherited), (&None, &None));
    let mut other = observed.clone();
    for image in other.images.values_mut() {
        image.id = "another".into();
    }
    assert_ne!(base_of(&postgres(), &observed).unwrap().name, base_of(&postgres(), &other).unwrap().name);
    assert!(base_of(&service_of_redis(), &observed).is_none(), "Redis does not initialise an empty folder");
    let with = |rights| {
        let name = Located::new("shop".into(), origin());
        let mut service = postgres();
        service.users.push(User { name, credential: Credential::Own("db".into()), bound: false, rights: Some(rights) });
        base_of(&service, &observed).unwrap().name
    };
    assert_ne!(with(Rights::Owner), with(Rights::Superuser), "the key of a base contains the rights of its logins");
}

fn service_of_redis() -> Service {
    service("cache", "redis", "7.0.15")
}

#[test]
fn existing_data_stays_although_there_is_a_base() {
    let plain = running(&decide(&stack(vec![postgres()]), &empty()));
    let observed = with_base(plain, &postgres());
    let lines = printed(&stack(vec![postgres()]), &observed);
    assert_eq!(lines, ["0 [db] prove: it runs as declared []"]);
}

#[test]
fn a_base_that_a_killed_run_began_is_rebuilt_unless_it_is_used() {
    let mut observed = empty();
    let base = base_of(&postgres(), &observed).unwrap();
    let plan = base.making(&Scope::default(), &observed).1;
    assert_eq!(plan.steps.len(), 4);
    observed.volumes.push(volume_of(&base, &base.volume));
    observed.containers.push(making(&base, base.container()));
    let actions: Vec<_> =
        base.making(&Scope::default(), &observed).1.steps.into_iter().map(|step| step.action).collect();
    assert!(matches!(actions[..2], [Action::Remove { .. }, Action::RemoveVolume { .. }]), "{actions:?}");
    observed.volumes.push(layered_on(&base.volume));
    assert_eq!(base.making(&Scope::default(), &observed).1, Plan::default());
}

#[test]
fn after_a_save_the_services_use_children_of_the_snapshots_volumes_and_a_restore_replaces_all_at_once() {
    let stack = stack(vec![postgres(), service_of_redis()]);
    let desired = decide(&stack, &Observed::default());
    let mut observed = running(&desired);
    let first = data(&desired, &observed);
    let saved = saving("one", CloneMode::Overlay, &first, &identity(), &observed);
    assert_eq!(saved.pins, first.values().cloned().collect::<Vec<_>>());
    observed.records.push(written(&saved));

    let after_save = decide(&stack, &observed);
    let old = after_save.transition.head.clone().unwrap();
    for service in &after_save.services {
        let begins = service.volumes[0].parent_spec.as_ref().unwrap();
        assert_eq!(begins.layers, [first[&service.name].clone()]);
        assert_ne!(service.volumes[0].name, first[&service.name]);
        assert_eq!(begins.owner, None, "the engine was not asked for the owner yet");
        assert!(!service.begins_inherited, "it has its own logins");
    }
    // A snapshot would name these volumes, whether the services have started since the save or not.
    assert_eq!(data(&after_save, &observed), first);
    // The first start after the save removed the first head.
    observed.records.retain(|one| one.record.head().is_none());
    observed.records.push(ObservedRecord { id: String::new(), ..written(&old) });
    for service in &after_save.services {
        let volume = &service.volumes[0];
        let mut made = volume.clone();
        let parent = made.data_mut().and_then(|data| data.parent.as_mut()).unwrap();
        parent.folder = Some(Owner { uid: 999, gid: 998, mode: 0o750 });
        observed.volumes.push(made.as_made());
        let role = VolumeRole::Upper(volume.name.clone());
        observed.volumes.push(Volume { name: format!("{}.top", volume.name), scope: volume.scope.clone(), role });
    }
    let now = data(&after_save, &observed);
    assert_ne!(now, first);

    let head = restoring_to(&first, &after_save, &observed);
    observed.records.push(ObservedRecord { id: String::new(), ..written(&head) });
    assert!(is_unfinished(&identity(), &observed));
    let asked = decide(&stack, &observed);
    let plan = diff(&asked, &observed, &BTreeSet::new()).unwrap();
    let made = plan.steps.iter().filter(|step| matches!(step.action, Action::CreateVolume(_))).count();
    assert_eq!(made, 2);
    for service in &asked.services {
        let owner = service.volumes[0].parent_spec.as_ref().unwrap().owner;
        assert_eq!(
            owner,
            Some(Owner { uid: 999, gid: 998, mode: 0o750 }),
            "the owner is known from another volume on the same layer"
        );
    }
    let deleted: Vec<&str> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::RemoveVolume { name } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let uppers = now.values().flat_map(|volume| [volume.clone(), format!("{volume}.top")]);
    let expected: Vec<String> = uppers.chain([old.volume()]).collect();
    assert_eq!(deleted, expected, "the data that was written since the save, and then the older head");

    // A run was killed after it created one volume: this volume stays, and the next run creates the other volume.
    let volume = &asked.services[0].volumes[0];
    observed.volumes.push(volume.as_made());
    let again = decide(&stack, &observed);
    assert_eq!(again.services[0].volumes[0].name, volume.name);
    assert_eq!(again.services[1].volumes, asked.services[1].volumes);
}

#[test]
fn data_in_too_many_layers_is_copied_into_one() {
    let stack = stack(vec![service_of_redis()]);
    let desired = decide(&stack, &Observed::default());
    let mut observed = running(&desired);
    let layers: Vec<String> = (0..24).map(|number| format!("layer-{number}")).collect();
    let VolumeRole::Data(held) = &mut observed.volumes[0].role else { panic!("it holds data") };
    held.parent = Some(Parent { layers, clone_mode: CloneMode::Overlay, folder: None });
    let saved = saving("one", CloneMode::Overlay, &data(&desired, &observed), &identity(), &observed);
    observed.records.push(written(&saved));
    let parent_spec = decide(&stack, &observed).services[0].volumes[0].parent_spec.clone().unwrap();
    assert_eq!((parent_spec.layers.len(), parent_spec.clone_mode), (25, CloneMode::Copy));
}

#[test]
fn a_volume_with_an_interrupted_copy_is_recreated() {
    let stack = stack(vec![service_of_redis()]);
    let mut observed = running(&decide(&stack, &Observed::default()));
    observed.containers.clear();
    let volume = observed.volumes[0].name.clone();
    observed.containers.push(filling("filler", &volume));
    let mut both = observed.clone();
    both.containers.push(filling("copier", &volume));
    let lines = printed(&stack, &both);
    assert!(lines[1].contains("remove id of copier") && lines[2].ends_with("[0, 1]"), "{lines:?}");
    let lines = printed(&stack, &observed);
    assert!(lines[0].contains("remove id of filler") && lines[1].contains("delete ENV-cache"), "{lines:?}");
    assert!(lines[2].contains("volume ENV-cache") && lines[2].ends_with("[1]"), "{lines:?}");
}

#[test]
fn the_mark_of_an_incomplete_copy_stays_until_the_copy_is_complete() {
    let stack = stack(vec![service_of_redis()]);
    let desired = decide(&stack, &Observed::default());
    let mut observed = running(&desired);
    let saved = saving("one", CloneMode::Copy, &data(&desired, &observed), &identity(), &observed);
    observed.records.push(written(&saved));
    let after = decide(&stack, &observed);
    observed.records.extend(after.transition.head.as_ref().map(Record::as_made));
    let volume = after.services[0].volumes[0].clone();
    observed.containers.push(filling("filler", &volume.name));
    observed.containers.push(Container { volumes: vec![volume.name.clone()], ..filling("copier", &volume.name) });
    observed.volumes.push(volume.as_made());
    let plan = diff(&decide(&stack, &observed), &observed, &BTreeSet::new()).unwrap();
    let removed: Vec<&str> = plan.names().collect();
    assert!(removed.contains(&"copier") && removed.contains(&volume.name.as_str()), "{removed:?}");
    assert!(!removed.contains(&"filler"), "{removed:?}");
    // A pin must not reference the incomplete volume: otherwise the volume could not be removed and recreated.
    let kept = pin(&identity(), &observed).unwrap();
    assert!(!kept.pins.is_empty() && !kept.pins.contains(&volume.name), "{kept:?}");
}

#[test]
fn garbage_contains_bases_of_this_user_on_which_no_environment_is_layered() {
    let nobody = |_: &str| false;
    let mut observed = with_base(empty(), &postgres());
    let base = base_of(&postgres(), &observed).unwrap();
    observed.volumes.push(volume_of(&base, &base.volume));
    let names = |observed: &Observed, held: &dyn Fn(&str) -> bool| {
        garbage(&identity(), observed, held, 1_000_000).names().map(str::to_owned).collect::<Vec<_>>()
    };
    let of_record = format!("{}.record", base.name);
    assert_eq!(names(&observed, &nobody), [base.name.clone(), of_record, base.volume.clone()]);
    assert!(names(&observed, &|_| true).is_empty(), "another run is making the base");
    let mut used = observed.clone();
    used.volumes.push(layered_on(&base.volume));
    assert!(names(&used, &nobody).is_empty());
    observed.records.iter_mut().for_each(|one| one.record.machine = "another".to_owned());
    for volume in &mut observed.volumes {
        volume.role = VolumeRole::Base(BaseKey { machine: "another".to_owned(), ..base.key.clone() });
    }
    assert!(names(&observed, &nobody).is_empty());
}

#[test]
fn an_ephemeral_environment_lives_for_its_time_and_a_base_for_a_month() {
    const NOW: i64 = 10_000_000;
    let of_run = |expires: Option<i64>, created: i64| {
        let lease = |expires| Lease { owner: "shop/web".to_owned(), job: "77".to_owned(), expires };
        let scope = Scope {
            root: "/elsewhere".to_owned(),
            environment: "run-1".to_owned(),
            ephemeral: true,
            lease: expires.map(lease),
        };
        let container = Container { created, ..made("run-1-db", scope.clone(), ContainerRole::Helper) };
        let volume = Volume { name: "run-1-db".into(), scope, role: VolumeRole::Helper };
        Observed { containers: vec![container], volumes: vec![volume], ..Observed::default() }
    };
    let nobody = |_: &str| false;
    let causes = |observed: &Observed, held: &dyn Fn(&str) -> bool| {
        let plan = stale(&identity(), observed, held, NOW);
        plan.steps.into_iter().map(|step| step.cause).collect::<Vec<_>>()
    };
    let whose = "past its time to live (of shop/web, job 77)";
    assert_eq!(causes(&of_run(Some(NOW - 1), NOW), &nobody), [whose, whose]);
    assert!(causes(&of_run(Some(NOW - 1), NOW), &|_| true).is_empty(), "it still runs");
    assert!(causes(&of_run(Some(NOW + 1), 0), &nobody).is_empty(), "its lease counts, and not its age");
    assert_eq!(causes(&of_run(None, NOW - 25 * 3600), &nobody).len(), 2);
    assert!(causes(&of_run(None, NOW - 23 * 3600), &nobody).is_empty());
    let mut of_network = of_run(Some(NOW - 1), NOW);
    let scope = of_network.volumes.remove(0).scope;
    of_network.containers.clear();
    of_network.networks.push(Network { id: "net".into(), name: "run-1".into(), scope });
    assert_eq!(causes(&of_network, &nobody), [whose], "a run that was killed early left only its network");
    let mut of_head = of_network.clone();
    let scope = of_head.networks.remove(0).scope;
    let head =
        Record { name: "run-1.head".into(), scope, kind: RecordKind::Head(Head::default()), ..Record::default() };
    of_head.records.push(ObservedRecord { id: String::new(), created: NOW, ..written(&head) });
    assert_eq!(causes(&of_head, &nobody), [whose], "a run that was killed at its end left only its head");

    let mut observed = with_base(empty(), &postgres());
    let created = |observed: &mut Observed, at: i64| observed.records.iter_mut().for_each(|one| one.created = at);
    created(&mut observed, NOW - 29 * 24 * 3600);
    assert!(causes(&observed, &nobody).is_empty(), "the next environment begins with the base");
    assert_eq!(garbage(&identity(), &observed, &nobody, NOW).steps.len(), 2, "`gc` removes an unused base at once");
    created(&mut observed, NOW - 31 * 24 * 3600);
    assert_eq!(causes(&observed, &nobody), ["no environment is layered on it"; 2]);
}

#[test]
fn a_record_that_a_prune_removed_in_part_is_completed_with_the_volumes_that_it_protects() {
    let stack = stack(vec![service_of_redis(), postgres()]);
    let desired = decide(&stack, &Observed::default());
    let mut observed = with_base(running(&desired), &postgres());
    let saved = saving("one", CloneMode::Overlay, &data(&desired, &observed), &identity(), &observed);
    observed.records.push(written(&saved));
    let kept = pin(&identity(), &observed).unwrap();
    observed.records.push(written(&kept));
    assert_eq!(unprotected(&identity(), &observed), []);

    // A prune of containers leaves the volumes of records. These volumes have the content, but not the list of pins.
    let mut pruned = observed.clone();
    for one in &mut pruned.records {
        one.id.clear();
        one.record.pins.clear();
    }
    let again = unprotected(&identity(), &pruned);
    let pins: Vec<_> = again.iter().map(|one| (&one.record.name, &one.record.pins)).collect();
    let with_container = observed.records.iter().filter(|one| one.record.head().is_none());
    let before: Vec<_> = with_container.map(|one| (&one.record.name, &one.record.pins)).collect();
    assert_eq!(pins, before);
    assert_eq!(snapshots(&identity(), &pruned)[0].name, "one", "the snapshot still exists");

    // The records of an earlier build had no volume.
    observed.records.iter_mut().for_each(|one| one.has_volume = false);
    assert_eq!(unprotected(&identity(), &observed).len(), 3);
    let foreign = Identity::of_checkout("shop", Path::new("/other"), Key::from_bytes([8; 32]));
    assert_eq!(unprotected(&foreign, &observed), []);
}

#[test]
fn a_container_that_references_volumes_of_several_environments_is_removed_before_the_volumes() {
    let of = |name: &str| {
        let lease = Lease { owner: String::new(), job: String::new(), expires: 1 };
        let scope =
            Scope { root: "/elsewhere".to_owned(), environment: name.to_owned(), ephemeral: true, lease: Some(lease) };
        let upper = Volume { name: format!("{name}-db.top"), scope: scope.clone(), role: VolumeRole::Helper };
        (made(&format!("{name}.making"), scope, ContainerRole::Helper), upper)
    };
    let ((one, of_one), (two, of_two)) = (of("run-1"), of("run-2"));
    let observed = Observed { containers: vec![one, two], volumes: vec![of_one, of_two], ..Observed::default() };
    let plan = garbage(&identity(), &observed, &|_| false, 10);
    let is_container = |index: &usize| matches!(plan.steps[*index].action, Action::Remove { .. });
    let volumes = plan.steps.iter().filter(|step| matches!(step.action, Action::RemoveVolume { .. }));
    let waits: Vec<usize> = volumes.map(|step| step.after.iter().filter(|index| is_container(index)).count()).collect();
    assert_eq!(waits, [2, 2]);
}

#[test]
fn leftovers_of_an_interrupted_base_are_garbage_at_once_in_this_checkout_and_after_an_hour_in_others() {
    let nobody = |_: &str| false;
    let base = base_of(&postgres(), &empty()).unwrap();
    let mut observed = empty();
    observed.containers.push(Container { created: 1_000_000, ..making(&base, base.container()) });
    let names = |observed: &Observed, now: i64| {
        garbage(&identity(), observed, &nobody, now).names().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names(&observed, 1_000_001), [base.container()]);
    observed.containers[0].scope.root = "/elsewhere".to_owned();
    assert!(names(&observed, 1_000_001).is_empty());
    assert_eq!(names(&observed, 1_003_601), [base.container()]);

    // A run that is killed after it wrote the base's record leaves the server of the base and the sidecars.
    let mut observed = with_base(empty(), &postgres());
    let base = base_of(&postgres(), &observed).unwrap();
    let sidecar = format!("{}.beside.cache", base.name);
    observed.volumes.extend([volume_of(&base, &base.volume), volume_of(&base, &sidecar), layered_on(&base.volume)]);
    for left in [base.container(), &sidecar] {
        observed.containers.push(Container { created: 1_000_000, ..making(&base, left) });
    }
    assert_eq!(names(&observed, 1_000_001), [base.container(), &sidecar, &sidecar]);
}

#[test]
fn data_of_an_interrupted_initialisation_is_recreated_if_the_server_ended_and_kept_if_its_end_is_unknown() {
    let stack = stack(vec![postgres()]);
    let desired = decide(&stack, &Observed::default());
    let volume = &desired.services[0].volumes[0];
    assert!(
        volume.unproven
            && !decide(&super::stack(vec![service_of_redis()]), &Observed::default()).services[0].volumes[0].unproven
    );
    let mut observed = running(&desired);
    observed.containers[0].volumes = vec![volume.name.clone()];
    let role = VolumeRole::Unproven(volume.name.clone());
    observed.volumes.push(Volume { name: volume.mark(), scope: volume.scope.clone(), role });

    // The server runs: the first login proves the volume.
    assert_eq!(printed(&stack, &observed), ["0 [db] prove: it runs as declared []"]);
    assert!(decide(&stack, &observed).services[0].volumes[0].unproven, "so that the proof removes the mark");
    // The server ended: an init script failed, or the machine was switched off.
    observed.containers[0].state = "exited".into();
    let lines = printed(&stack, &observed);
    assert!(lines[0].contains("remove c-db") && lines[1].contains("delete ENV-db.v15: its server ended"), "{lines:?}");
    assert!(lines[2].contains("volume ENV-db.v15") && lines[2].ends_with("[1]"), "{lines:?}");
    // A proven volume stays in use.
    let mut proven = observed.clone();
    proven.volumes.retain(|one| one.unproven().is_empty());
    assert!(printed(&stack, &proven)[0].contains("start c-db"));
    // Without a container, it is unknown whether the initialisation succeeded: the volume stays until `devenv gc`.
    observed.containers.clear();
    let lines = printed(&stack, &observed);
    assert!(lines[1].contains("volume ENV-db.v15.g2"), "{lines:?}");
    let said = set_aside(&stack, &decide(&stack, &observed), &observed);
    assert!(said.len() == 1 && said[0].notes[0].contains(&volume.name), "{said:?}");
    assert_eq!(set_aside(&stack, &decide(&stack, &proven), &proven), []);
    assert!(!lines.iter().any(|line| line.contains("delete ENV-db")), "{lines:?}");
    let unasked = stale(&identity(), &observed, &|_| false, 1_000_000);
    assert_eq!(unasked.names().count(), 0, "an `up` of another environment of the folder keeps the volume too");
    let plan = garbage(&identity(), &observed, &|_| false, 1_000_000);
    assert_eq!(plan.names().collect::<Vec<_>>(), [volume.name.clone(), volume.mark()]);
    assert_eq!(garbage(&identity(), &observed, &|_| true, 1_000_000).steps, [], "another run is starting the server");
}
