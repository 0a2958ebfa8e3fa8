//! stub
use crate::model::Secret;
/// stub
pub fn rabbitmq_definitions(_users: &[(String, Option<Secret>, bool)], _vhosts: &[String]) -> String {
    String::new()
}
