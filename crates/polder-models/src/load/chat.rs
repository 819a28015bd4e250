//! What a model's files say of conversations and of where a text ends.

use serde_json::Value;

use super::{Inspected, Loaded, SideFile};

/// A model's chat template, and the texts of its special tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatSource {
    /// The template, in Jinja.
    pub template: String,
    /// Names and texts, such as `bos_token` and `<s>`.
    pub special: Vec<(String, String)>,
}

impl Loaded {
    /// The ids of the tokens that end a text: `eos_token_id` of generation_config.json, else of config.json.
    pub fn end_ids(&self) -> Vec<u32> {
        end_ids(&self.config_json, &self.files)
    }

    /// The chat template, where the model has one: chat_template.jinja or .json, else `chat_template` of
    /// tokenizer_config.json (of several the one named `default`); a GGUF file's own stands there too.
    pub fn chat(&self) -> Option<ChatSource> {
        chat(&self.files)
    }
}

impl Inspected {
    /// As [`Loaded::chat`].
    pub fn chat(&self) -> Option<ChatSource> {
        chat(&self.files)
    }

    /// As [`Loaded::end_ids`].
    pub fn end_ids(&self) -> Vec<u32> {
        end_ids(&self.config_json, &self.files)
    }
}

fn end_ids(config: &Value, files: &[SideFile]) -> Vec<u32> {
    let one = |id: &Value| id.as_u64().and_then(|id| u32::try_from(id).ok());
    let all = |json: &Value| match json.get("eos_token_id") {
        Some(Value::Array(ids)) => Some(ids.iter().filter_map(one).collect()),
        Some(id) => one(id).map(|id| vec![id]),
        None => None,
    };
    let generation = object(files, "generation_config.json");
    generation.as_ref().and_then(all).or_else(|| all(config)).unwrap_or_default()
}

fn chat(files: &[SideFile]) -> Option<ChatSource> {
    let settings = object(files, "tokenizer_config.json").unwrap_or(Value::Null);
    let alone = || {
        let file = files.iter().find(|file| file.name == "chat_template.jinja")?;
        String::from_utf8(file.bytes.clone()).ok()
    };
    let beside = || named(object(files, "chat_template.json")?.get("chat_template")?);
    let template = alone().or_else(beside).or_else(|| named(settings.get("chat_template")?))?;
    let mut special = Vec::new();
    for source in [&settings, &object(files, "special_tokens_map.json").unwrap_or(Value::Null)] {
        for (name, value) in source.as_object().into_iter().flatten().filter(|(name, _)| name.ends_with("_token")) {
            let text = value.as_str().or_else(|| value.get("content")?.as_str());
            if let Some(text) = text.filter(|_| !special.iter().any(|(known, _)| known == name)) {
                special.push((name.clone(), text.to_owned()));
            }
        }
    }
    Some(ChatSource { template, special })
}

/// A template, or the default one of a list of named ones.
fn named(value: &Value) -> Option<String> {
    let default = |list: &Vec<Value>| {
        let entry = list.iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some("default"))?;
        entry.get("template")?.as_str().map(str::to_owned)
    };
    value.as_str().map(str::to_owned).or_else(|| default(value.as_array()?))
}

fn object(files: &[SideFile], name: &str) -> Option<Value> {
    let file = files.iter().find(|file| file.name == name)?;
    serde_json::from_slice(&file.bytes).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn file(name: &str, json: &Value) -> SideFile {
        SideFile::new(name, json.to_string().into_bytes())
    }

    #[test]
    fn ends_are_those_of_the_generation_config_first() {
        let config = json!({ "eos_token_id": 2 });
        let of = |generation: Value| end_ids(&config, &[file("generation_config.json", &generation)]);
        assert_eq!(end_ids(&config, &[]), [2]);
        assert_eq!(of(json!({ "eos_token_id": [5, 6] })), [5, 6]);
        assert_eq!(of(json!({ "eos_token_id": 7 })), [7]);
        assert_eq!(of(json!({})), [2]);
        assert_eq!(of(json!({ "eos_token_id": -1 })), [2]);
        assert!(end_ids(&json!({ "eos_token_id": null }), &[]).is_empty());
    }

    #[test]
    fn a_template_is_found_wherever_it_may_lie() {
        let settings = |template: Value| {
            let bos = json!({ "content": "<s>", "lstrip": false });
            file("tokenizer_config.json", &json!({ "chat_template": template, "bos_token": bos, "eos_token": "</s>" }))
        };
        let found = chat(&[settings(json!("a"))]).unwrap();
        assert_eq!(found.template, "a");
        assert_eq!(found.special, [("bos_token", "<s>"), ("eos_token", "</s>")].map(|(a, b)| (a.into(), b.into())));
        let several = json!([{ "name": "tool_use", "template": "t" }, { "name": "default", "template": "d" }]);
        assert_eq!(chat(&[settings(several)]).unwrap().template, "d");
        let alone = SideFile::new("chat_template.jinja", b"j".to_vec());
        assert_eq!(chat(&[settings(json!("a")), alone]).unwrap().template, "j");
        let beside = file("chat_template.json", &json!({ "chat_template": "b" }));
        assert_eq!(chat(&[settings(json!("a")), beside]).unwrap().template, "b");
        assert_eq!(chat(&[settings(Value::Null)]), None);
        assert_eq!(chat(&[]), None);
    }
}
