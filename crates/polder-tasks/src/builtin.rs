//! The built-in tasks: one table, one TOML file each.

use crate::{Result, TaskSpec};

/// Name and file of each built-in task: MeZO's eleven, then others.
const TASKS: &[(&str, &str)] = &[
    ("sst2", include_str!("builtin/sst2.toml")),
    ("rte", include_str!("builtin/rte.toml")),
    ("cb", include_str!("builtin/cb.toml")),
    ("boolq", include_str!("builtin/boolq.toml")),
    ("wsc", include_str!("builtin/wsc.toml")),
    ("wic", include_str!("builtin/wic.toml")),
    ("multirc", include_str!("builtin/multirc.toml")),
    ("copa", include_str!("builtin/copa.toml")),
    ("record", include_str!("builtin/record.toml")),
    ("squad", include_str!("builtin/squad.toml")),
    ("drop", include_str!("builtin/drop.toml")),
    ("sst5", include_str!("builtin/sst5.toml")),
    ("trec", include_str!("builtin/trec.toml")),
    ("snli", include_str!("builtin/snli.toml")),
    ("mnli", include_str!("builtin/mnli.toml")),
    ("arc-easy", include_str!("builtin/arc-easy.toml")),
    ("arc-challenge", include_str!("builtin/arc-challenge.toml")),
    ("openbookqa", include_str!("builtin/openbookqa.toml")),
    ("commonsense-qa", include_str!("builtin/commonsense-qa.toml")),
    ("piqa", include_str!("builtin/piqa.toml")),
    ("hellaswag", include_str!("builtin/hellaswag.toml")),
    ("winogrande", include_str!("builtin/winogrande.toml")),
    ("balanced-copa", include_str!("builtin/balanced-copa.toml")),
    ("completion", include_str!("builtin/completion.toml")),
    ("chat", include_str!("builtin/chat.toml")),
];

/// The names of the built-in tasks.
pub fn names() -> Vec<&'static str> {
    TASKS.iter().map(|(name, _)| *name).collect()
}

/// A built-in task's specification, where there is one of that name; case, `-` and `_` do not matter.
///
/// ```
/// let task = polder_tasks::builtin("SST-2").unwrap().unwrap();
/// assert_eq!(task.prompt.as_deref(), Some("{{ sentence | trim }} It was"));
/// ```
pub fn builtin(name: &str) -> Option<Result<TaskSpec>> {
    let wanted = plain_name(name);
    TASKS.iter().find(|(n, _)| plain_name(n) == wanted).map(|(name, text)| TaskSpec::from_toml(text, name))
}

/// A name in lower case without `-` and `_`.
pub(crate) fn plain_name(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}
