//! The built-in tasks: one table, one TOML file each.

use crate::{Result, TaskSpec};

/// Name and file of each built-in task.
const TASKS: &[(&str, &str)] = &[
    ("sst2", include_str!("builtin/sst2.toml")),
    ("copa", include_str!("builtin/copa.toml")),
    ("arc-easy", include_str!("builtin/arc-easy.toml")),
    ("squad", include_str!("builtin/squad.toml")),
    ("drop", include_str!("builtin/drop.toml")),
];

/// The names of the built-in tasks.
pub fn names() -> Vec<&'static str> {
    TASKS.iter().map(|(name, _)| *name).collect()
}

/// A built-in task's specification, where there is one of that name.
///
/// ```
/// let task = polder_tasks::builtin("sst2").unwrap().unwrap();
/// assert_eq!(task.prompt.as_deref(), Some("{{ sentence | trim }} It was"));
/// ```
pub fn builtin(name: &str) -> Option<Result<TaskSpec>> {
    TASKS.iter().find(|(n, _)| *n == name).map(|(name, text)| TaskSpec::from_toml(text, name))
}
