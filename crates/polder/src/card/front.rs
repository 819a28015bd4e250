//! The card's header, which the Hub reads.

use super::About;
use super::facts::{Facts, Score};

/// YAML between `---` lines: base_model, datasets, library_name, license, tags, model-index.
pub(super) fn matter(facts: &Facts, about: &About<'_>) -> String {
    let mut lines = vec!["---".to_owned()];
    if let Some(base) = hub_id(about.base) {
        lines.push(format!("base_model: {}", text(base)));
        lines.push("base_model_relation: finetune".to_owned());
    }
    if let Some(data) = dataset(facts) {
        lines.push("datasets:".to_owned());
        lines.push(format!("- {}", text(data)));
    }
    lines.push(format!("library_name: {}", if about.what.has_weights() { "transformers" } else { "polder" }));
    if let Some(license) = about.license {
        let plain = license.chars().all(|c| c.is_ascii_alphanumeric() || "-._+".contains(c));
        // A JSON string is one in YAML too.
        let license = if plain { license.to_owned() } else { serde_json::Value::from(license).to_string() };
        lines.push(format!("license: {license}"));
    }
    lines.push("pipeline_tag: text-generation".to_owned());
    lines.push("tags:".to_owned());
    let optimizer = text(&facts.header.optimizer.name);
    for tag in ["polder", "zeroth-order", "mezo", "fine-tuned", optimizer.as_str()] {
        lines.push(format!("- {tag}"));
    }
    lines.extend(index(facts, about));
    lines.push("---\n\n".to_owned());
    lines.join("\n")
}

/// The scores as the Hub shows them beside a model.
fn index(facts: &Facts, about: &About<'_>) -> Vec<String> {
    let own: Vec<&Score> = facts.scores.iter().filter(|score| !score.base && score.metric != "loss").collect();
    if own.is_empty() {
        return Vec::new();
    }
    let name = about.id.rsplit('/').next().unwrap_or(about.id);
    let mut lines = vec!["model-index:".to_owned(), format!("- name: {}", text(name)), "  results:".to_owned()];
    for score in own {
        let data = dataset(facts).filter(|_| facts.text("/facts/data/task") == Some(score.task.as_str()));
        lines.push("  - task:".to_owned());
        lines.push("      type: text-generation".to_owned());
        lines.push("    dataset:".to_owned());
        lines.push(format!("      type: {}", text(data.unwrap_or(&score.task))));
        lines.push(format!("      name: {}", text(&score.task)));
        lines.push(format!("      split: {}", text(&score.split)));
        lines.push("    metrics:".to_owned());
        lines.push(format!("    - type: {}", text(&score.metric)));
        lines.push(format!("      value: {:.4}", score.value));
    }
    lines
}

/// A data set's id on the Hub, where the run's data came from there.
fn dataset(facts: &Facts) -> Option<&str> {
    hub_id(facts.text("/task/data")?.strip_prefix("hf://datasets/")?)
}

/// `owner/name` of an address or of what follows `hf://datasets/`.
fn hub_id(address: &str) -> Option<&str> {
    let rest = match address.strip_prefix("hf://") {
        Some(rest) => rest,
        // A path on some disk is nothing that the Hub knows.
        None if address.contains('@') => address,
        None => return None,
    };
    let end = rest.find('@').or_else(|| rest.match_indices('/').nth(1).map(|(at, _)| at)).unwrap_or(rest.len());
    Some(&rest[..end])
}

/// A text as YAML: as it is where that can't be misread, else in JSON's quotes, which YAML reads too.
fn text(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let number_like = text.parse::<f64>().is_ok();
    let word = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(&text.to_lowercase().as_str());
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts && !number_like && !word && text.chars().all(plain) {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_where_yaml_would_misread_them() {
        for (plain, yaml) in [
            ("owner/name", "owner/name"),
            ("sst2", "sst2"),
            ("12", "\"12\""),
            ("1e3", "\"1e3\""),
            ("no", "\"no\""),
            ("a: b", "\"a: b\""),
            ("-x", "\"-x\""),
            ("", "\"\""),
            ("\"q\"", "\"\\\"q\\\"\""),
        ] {
            assert_eq!(text(plain), yaml);
        }
    }

    #[test]
    fn ids_are_taken_from_addresses_only() {
        assert_eq!(hub_id("hf://o/n@abc/x.gguf"), Some("o/n"));
        assert_eq!(hub_id("hf://o/n/x.gguf"), Some("o/n"));
        assert_eq!(hub_id("o/n@abc/sst2"), Some("o/n"));
        assert_eq!(hub_id("models/m"), None);
    }
}
