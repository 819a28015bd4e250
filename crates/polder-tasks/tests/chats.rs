//! Chat templates: the renderings of transformers, refusals, and conversations as training data.

use polder_tasks::{BosPolicy, ChatTemplate, Drawn, Encoder, Error, Row, Task, builtin, turns};
use serde_json::{Value, json};
use tokenizers::Tokenizer;

/// The cases of `golden/chats.json`, each with its template; SmolLM2's is read where that model lies, or is left out.
fn cases() -> Vec<(String, ChatTemplate, Vec<Value>)> {
    let cases: Vec<Value> = serde_json::from_str(include_str!("golden/chats.json")).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let case = |case: &Value| {
        let source = match case["template"].as_str() {
            Some(template) => template.to_owned(),
            None => {
                let Some(folder) = std::env::var_os("POLDER_TEST_MODEL") else {
                    println!("skipped: POLDER_TEST_MODEL names no folder with SmolLM2");
                    return None;
                };
                let file = std::path::Path::new(&folder).join("smollm2-135m/chat_template.jinja");
                std::fs::read_to_string(file).expect("SmolLM2's template")
            }
        };
        let special = case["special"].as_object().expect("an object");
        let special: Vec<(String, String)> = special.iter().map(|(key, value)| (key.clone(), text(value))).collect();
        let template = ChatTemplate::new(&source, &special, 0).expect("a template");
        Some((text(&case["name"]), template, case["texts"].as_array().expect("a list").clone()))
    };
    cases.iter().filter_map(case).collect()
}

#[test]
fn conversations_look_as_transformers_shows_them() {
    let mut seen = 0;
    for (name, template, texts) in cases() {
        for case in texts {
            let messages = case["messages"].as_array().expect("a list");
            let found = template.render(messages, case["answer"] == true);
            match case["text"].as_str() {
                Some(text) => assert_eq!(found.expect("a rendering"), text, "{name}: {messages:?}"),
                None => {
                    let error = found.expect_err("a refusal").to_string();
                    assert!(error.contains("user and assistant must take turns"), "{name}: {error}");
                }
            }
            seen += 1;
        }
    }
    assert!(seen >= 26, "{seen}");
}

#[test]
fn what_is_no_conversation_or_no_template_is_refused() {
    let template = ChatTemplate::new("{{ messages[0].content }}", &[], 0).expect("a template");
    for bad in [
        json!([]),
        json!(["a"]),
        json!([{ "content": "a" }]),
        json!([{ "role": "user" }]),
        json!([{ "role": "user", "content": 3 }]),
    ] {
        let found = template.render(bad.as_array().expect("a list"), true);
        assert!(matches!(found, Err(Error::Messages { .. })), "{bad}");
    }
    let user = [json!({ "role": "user", "content": "a" })];
    assert!(matches!(ChatTemplate::new("{% if %}", &[], 0), Err(Error::Chat { .. })));
    assert!(matches!(ChatTemplate::new(&" ".repeat(2 << 20), &[], 0), Err(Error::Chat { .. })));
    // A template that would run for ever, one that knows no date, one that asks too much of `tojson`.
    for source in
        ["{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "{{ strftime_now('%Q') }}"]
    {
        let template = ChatTemplate::new(source, &[], 0).expect("a template");
        assert!(matches!(template.render(&user, true), Err(Error::Chat { .. })), "{source}");
    }
    let dated = ChatTemplate::new("{{ strftime_now('%d %b %Y') }}", &[], 1_721_956_800).expect("a template");
    assert_eq!(dated.render(&user, true).expect("a rendering"), "26 Jul 2024");
}

fn chatml() -> ChatTemplate {
    let source = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>\n{% endfor %}\
                  {% if add_generation_prompt %}<assistant>{% endif %}";
    ChatTemplate::new(source, &[], 0).expect("a template")
}

fn drawn(row: Value) -> Drawn {
    let row: Row = row.as_object().expect("an object").clone();
    Drawn { number: 4, row }
}

#[test]
fn each_answer_is_a_row_and_only_it_is_scored() {
    let say = |role: &str, content: &str| json!({ "role": role, "content": content });
    let talk = [say("user", "a"), say("assistant", "b b"), say("user", "c"), say("assistant", "d")];
    let rows =
        turns(&chatml(), &[drawn(json!({ "id": "x", "messages": talk })), drawn(json!({ "messages": talk[..2] }))]);
    let rows = rows.expect("rows");
    let task = builtin("chat").expect("a task").and_then(polder_tasks::TaskSpec::compile).expect("a task");
    let examples: Vec<_> = rows.iter().map(|row| task.example(&row.row, row.number).expect("an example")).collect();
    let texts: Vec<(&str, &str, &str)> =
        examples.iter().map(|e| (e.idx.as_str(), e.prompt.as_str(), e.options[0].as_str())).collect();
    assert_eq!(
        texts,
        [
            ("x.0", "<user>a<end>\n<assistant>", "b b<end>\n"),
            ("x.1", "<user>a<end>\n<assistant>b b<end>\n<user>c<end>\n<assistant>", "d<end>\n"),
            ("4", "<user>a<end>\n<assistant>", "b b<end>\n"),
        ]
    );
    // One token a character: the answer's characters are what is scored.
    let vocab: Value = (32u8..127).chain([10]).map(|c| (char::from(c).to_string(), Value::from(c))).collect();
    let model = json!({ "type": "BPE", "vocab": vocab, "merges": [], "unk_token": null, "dropout": null,
                        "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
                        "byte_fallback": false });
    let json = json!({ "version": "1.0", "added_tokens": [], "model": model });
    let tokenizer = Tokenizer::from_bytes(json.to_string()).expect("a tokenizer");
    let encoder = Encoder::new(tokenizer, BosPolicy::Forbid, None, 200).expect("an encoder");
    for (example, scored) in examples.iter().zip([9, 7, 9]) {
        let encoded = encoder.encode(example).expect("ids");
        assert_eq!(encoded.options[0].scored, scored);
        assert_eq!(encoded.gold, Some(0));
    }
}

#[test]
fn rows_that_teach_no_answer_are_named() {
    let say = |role: &str| json!({ "role": role, "content": "a" });
    for (row, reason) in [
        (json!({ "text": "a" }), "no list `messages`"),
        (json!({ "messages": [say("user")] }), "no answer of the assistant"),
        (json!({ "messages": [say("assistant")] }), "has no prompt"),
        (json!({ "messages": [say("user"), { "role": "assistant" }] }), "no `content`"),
    ] {
        let error = turns(&chatml(), &[drawn(row)]).expect_err("a refusal").to_string();
        assert!(error.contains(reason) && error.contains("row `4`"), "{error}");
    }
    // Templates that show an answer elsewhere than after the question can't be trained on so.
    let reversed = "{% for m in messages | reverse %}{{ m.content }}{{ m.role }}{% endfor %}";
    let template = ChatTemplate::new(reversed, &[], 0).expect("a template");
    let row = json!({ "messages": [say("user"), { "role": "assistant", "content": "b" }] });
    assert!(turns(&template, &[drawn(row)]).expect_err("a refusal").to_string().contains("otherwise than after"));
}

#[test]
fn a_completion_follows_its_prompt_as_it_stands() {
    let task = builtin("completion").expect("a task").and_then(polder_tasks::TaskSpec::compile).expect("a task");
    let row = json!({ "prompt": "1 + 1 =", "completion": " 2" });
    let example = task.example(row.as_object().expect("an object"), 0).expect("an example");
    assert_eq!(example.text(0).as_deref(), Some("1 + 1 = 2"));
    assert_eq!((task.loss().to_string().as_str(), task.metric().to_string().as_str()), ("target", "loss"));
}
