//! Measures the disk space of volumes. A container of a local image measures it, because not every engine reports it.
//!
//! Overlay volumes are measured by their upper layers and their parents: a mounted overlay volume would show the sum.

use super::mounts::mount;
use super::{Engine, EngineError, EngineFault, labels};
use crate::model::Scope;
use bollard::models::{ContainerCreateBody, HostConfig};
use std::collections::BTreeMap;

/// Where the container mounts the volumes, each in a folder named by its number.
const AT: &str = "/devenv-sizes";

impl Engine {
    /// The bytes on disk of each of these volumes. The volumes must exist. `image_id` is an image that contains `du`.
    pub async fn sizes(
        &self,
        image_id: &str,
        scope: &Scope,
        volumes: &[String],
    ) -> Result<BTreeMap<String, u64>, EngineError> {
        let operation = "measure the volumes";
        let mounts = volumes.iter().enumerate().map(|(number, name)| mount(name, &format!("{AT}/{number}"), true));
        let mut command = vec!["du".to_owned(), "-sk".to_owned()];
        command.extend((0..volumes.len()).map(|number| format!("{AT}/{number}")));
        let body = ContainerCreateBody {
            image: Some(image_id.to_owned()),
            user: Some("0:0".to_owned()),
            entrypoint: Some(command),
            cmd: Some(Vec::new()),
            labels: Some(labels::of_scope(scope)),
            host_config: Some(HostConfig {
                mounts: Some(mounts.collect()),
                network_mode: Some("none".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let id = self.work(operation, self.docker.create_container(None, body)).await?.id;
        let measured = async {
            self.start(&id).await?;
            self.wait_exit(&id).await?;
            self.log_tail(&id, volumes.len()).await
        };
        let measured = measured.await;
        self.remove_container(&id).await?;
        let sizes = read(&measured?, volumes);
        if sizes.len() < volumes.len() {
            return Err(EngineError::new(operation, EngineFault::Other, "the image has no `du` that works".to_owned()));
        }
        Ok(sizes)
    }
}

/// Parses the output of `du -sk`. If a file disappears meanwhile, `du` only prints a warning, which is ignored.
fn read(lines: &[String], volumes: &[String]) -> BTreeMap<String, u64> {
    let of_line = |line: &str| {
        let (size, path) = line.trim().split_once('\t')?;
        let number: usize = path.strip_prefix(AT)?.strip_prefix('/')?.parse().ok()?;
        Some((volumes.get(number)?.clone(), size.parse::<u64>().ok()? * 1024))
    };
    lines.iter().flat_map(|text| text.lines()).filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_by_the_number_of_the_volume() {
        let volumes = ["a".to_owned(), "b".to_owned()];
        let lines = ["4\t/devenv-sizes/0\ndu: cannot access x\n".to_owned(), "12\t/devenv-sizes/1".to_owned()];
        let sizes = read(&lines, &volumes);
        assert_eq!(sizes, BTreeMap::from([("a".to_owned(), 4096), ("b".to_owned(), 12288)]));
    }
}
