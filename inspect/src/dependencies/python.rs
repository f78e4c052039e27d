//! stub
use super::Dependency;
/// stub
pub fn read_pyproject(_text: &str) -> Option<Vec<Dependency>> { None }
/// stub
pub fn read_requirements(_text: &str) -> Option<Vec<Dependency>> { None }
/// stub
pub fn read_setup_cfg(_text: &str) -> Option<Vec<Dependency>> { None }
/// stub
pub fn read_pipfile(_text: &str) -> Option<Vec<Dependency>> { None }
