//! stub
use super::Dependency;
/// stub
pub fn read(_text: &str) -> Option<Vec<Dependency>> { None }
