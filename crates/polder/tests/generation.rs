//! `polder generate`, with the real binary on tiny models.

mod fixture;

use std::fs;
use std::path::Path;

use fixture::{Place, fail, str, succeed, text};
use serde_json::{Value, json};

const PROMPTS: [&str; 5] =
    ["a good film", "the plot was very", "a a a a a a a a a film", "a a a a a a a a a plot was", "It"];

fn lines(out: &[u8]) -> Vec<Value> {
    text(out).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What `polder generate` writes for a file of prompts, line by line.
fn generate(model: &Path, prompts: &Path, more: &[&str]) -> Vec<Value> {
    let args = ["generate", str(model), "--prompts", str(prompts), "--max-new-tokens", "12", "--quiet"];
    lines(&succeed(&[&args[..], more].concat()).stdout)
}

fn places() -> [(Place, std::path::PathBuf); 2] {
    [Place::llama(), Place::opt()].map(|place| {
        let file = place.path("prompts.txt");
        fs::write(&file, PROMPTS.join("\n")).unwrap();
        (place, file)
    })
}

#[test]
fn a_prompt_gives_the_same_in_any_company_and_greedy_or_drawn() {
    for (place, file) in places() {
        let model = place.path("model");
        for rule in [&[][..], &["--temperature", "0.9", "--top-k", "20", "--top-p", "0.95", "--seed", "3"]] {
            let all = generate(&model, &file, &[rule, &["--batch", "5"]].concat());
            assert_eq!(all.len(), 5);
            for more in [["--batch", "1", "--threads", "1"], ["--batch", "2", "--threads", "2"]] {
                assert_eq!(all, generate(&model, &file, &[rule, &more].concat()));
            }
            for (number, (line, prompt)) in all.iter().zip(PROMPTS).enumerate() {
                assert_eq!((&line["number"], &line["prompt"]), (&json!(number), &json!(prompt)));
                let (tokens, finish) = (line["tokens"].as_u64().unwrap(), line["finish"].as_str().unwrap());
                assert_eq!(line["ids"].as_array().unwrap().len() as u64, tokens);
                assert!((finish == "length" && tokens == 12) || (finish == "end" && tokens <= 12), "{line}");
            }
        }
        // One prompt alone shows its text as it is; greedy answers don't depend on the prompt's number.
        let greedy = generate(&model, &file, &[]);
        let args = ["generate", str(&model), "--prompt", PROMPTS[3], "--max-new-tokens", "12", "-q"];
        assert_eq!(text(&succeed(&args).stdout), format!("{}\n", greedy[3]["text"].as_str().unwrap()));
        let again = lines(&succeed(&[&args[..], &["--json"]].concat()).stdout);
        assert_eq!((again.len(), &again[0]["ids"]), (1, &greedy[3]["ids"]));
        let drawn = |seed: &str| generate(&model, &file, &["--temperature", "1", "--seed", seed]);
        assert_ne!(drawn("1"), drawn("2"));
        // The likeliest of one token is the greedy choice.
        let only = generate(&model, &file, &["--temperature", "1", "--top-k", "1"]);
        assert_eq!(only, greedy);
    }
}

#[test]
fn text_ends_before_a_stop_text_and_at_the_limit() {
    let [(place, file), _] = places();
    let model = place.path("model");
    let greedy = generate(&model, &file, &[]);
    let line = greedy.iter().find(|line| line["tokens"] == 12).expect("one that goes on");
    let whole = line["text"].as_str().unwrap();
    let stop = whole.split_whitespace().nth(3).unwrap();
    let stopped =
        &generate(&model, &file, &["--stop", stop, "--stop", "zzz"])[line["number"].as_u64().unwrap() as usize];
    assert_eq!(stopped["finish"], "stop");
    assert_eq!(stopped["text"].as_str().unwrap(), &whole[..whole.find(stop).unwrap()]);
    // 64 positions in all.
    let args = ["generate", str(&model), "--prompts", str(&file), "--max-new-tokens", "500", "-q"];
    for line in lines(&succeed(&args).stdout) {
        let all = line["tokens"].as_u64().unwrap() + line["prompt_tokens"].as_u64().unwrap();
        assert!(line["finish"] == "end" || (line["finish"] == "context" && all == 64), "{line}");
    }
}

#[test]
fn conversations_go_through_the_chat_template() {
    let [(place, _), _] = places();
    let model = place.path("model");
    let talk = place.path("talk.jsonl");
    let messages = json!([{ "role": "user", "content": "a film" }]);
    fs::write(&talk, json!({ "messages": messages }).to_string() + "\n{\"prompt\": \"a film\"}\n").unwrap();
    let said = fail(&["generate", str(&model), "--prompts", str(&talk)]);
    assert!(said.contains("no chat template") && said.contains("hint:"), "{said}");
    let template = "{{ bos_token }}{% for m in messages %}{{ m.content }} {% endfor %}\
                    {% if add_generation_prompt %}was{% endif %}";
    fs::write(model.join("chat_template.jinja"), template).unwrap();
    let found = generate(&model, &talk, &[]);
    assert_eq!((&found[0]["prompt"], &found[0]["prompt_tokens"]), (&json!("<s>a film was"), &json!(4)));
    assert_eq!((&found[1]["prompt"], &found[1]["prompt_tokens"]), (&json!("a film"), &json!(3)));
    let chat = ["--chat", "--system", "the plot"];
    let all = generate(&model, &talk, &chat);
    assert_eq!(all[0], found[0], "a conversation brings its own system");
    assert_eq!(all[1]["prompt"], "<s>the plot a film was");
    // The template's BOS is the only one, so this is the plain text's answer.
    let plain = ["generate", str(&model), "--prompt", "a film was", "--max-new-tokens", "12", "--json", "-q"];
    assert_eq!(lines(&succeed(&plain).stdout)[0]["ids"], found[0]["ids"]);
}

#[test]
fn what_can_not_be_continued_is_said() {
    let [(place, _), _] = places();
    let model = place.path("model");
    let with = |more: &[&str]| fail(&[&["generate", str(&model)], more].concat());
    let long = "a ".repeat(70);
    for (more, words) in [
        (&["--prompt", &long][..], &["71 tokens", "64", "hint:"][..]),
        (&["--prompt", "", "--bos", "false"], &["empty", "hint:"]),
        (&["--prompt", "a", "--top-k", "3"], &["temperature", "hint:"]),
        (&["--prompt", "a", "--temperature", "-1"], &["0 or more"]),
        (&["--prompt", "a", "--top-p", "0"], &["above 0"]),
        (&["--prompts", "nowhere.txt"], &["nowhere.txt"]),
        (&["--prompt", "a", "--system", "b"], &["--chat"]),
        (&[], &["--prompt"]),
    ] {
        let said = with(more);
        assert!(words.iter().all(|word| said.contains(word)), "{more:?}: {said}");
    }
    fs::remove_file(model.join("tokenizer.json")).unwrap();
    assert!(with(&["--prompt", "a"]).contains("tokenizer"));
    let gone = fail(&["generate", str(&place.path("gone")), "--prompt", "a"]);
    assert!(gone.contains("gone"), "{gone}");
}

/// What `polder predict` says of rows, line by line.
fn predict(model: &Path, more: &[&str]) -> Vec<Value> {
    lines(&succeed(&[&["predict", "--model", str(model), "--json"], more].concat()).stdout)
}

#[test]
fn rows_without_options_are_answered_in_words() {
    let [(place, _), _] = places();
    let model = place.path("model");
    let task = place.path("ask.toml");
    let spec = "name = \"ask\"\nprompt = \"{{ text }}\"\ntarget = \"{{ answer.text[0] }}\"\nanswers = \"answer.text\"\n\
                metric = \"f1\"\nmax_new_tokens = 12\nstop = []\n";
    fs::write(&task, spec).unwrap();
    let rows = place.path("ask.jsonl");
    // Labels are not looked at: there are none, and one that is no label.
    fs::write(&rows, "{\"text\": \"a good film\", \"id\": \"x\"}\n{\"text\": \"the plot was very\", \"answer\": 7}\n")
        .unwrap();
    let found = predict(&model, &["--task", str(&task), "--data", str(&rows)]);
    let written = generate(&model, &place.path("prompts.txt"), &[]);
    for (number, line) in found.iter().enumerate() {
        assert_eq!(line["answer"], written[number]["text"].as_str().unwrap().trim(), "{line}");
        assert_eq!((&line["finish"], &line["tokens"]), (&written[number]["finish"], &written[number]["tokens"]));
    }
    assert_eq!((found.len(), &found[0]["idx"], &found[1]["idx"]), (2, &json!("x"), &json!(1)));
    let short = predict(&model, &["--task", str(&task), "--text", "a good film", "--max-new-tokens", "2"]);
    assert_eq!((&short[0]["tokens"], &short[0]["finish"]), (&json!(2), &json!("length")));
    // More room than there is leaves the prompt half of the context.
    let much = predict(&model, &["--task", str(&task), "--text", "a good film", "--max-new-tokens", "4000"]);
    let text = |line: &Value| line["answer"].as_str().unwrap().to_owned();
    assert!(text(&much[0]).starts_with(&text(&short[0])), "{much:?}");
    let said = fail(&["predict", "--model", str(&model), "--task", "sst2", "--text", "a", "--max-new-tokens", "2"]);
    assert!(said.contains("chooses among options"), "{said}");
    // A label that names no option is in nobody's way either, but a column that the prompt needs is, with its file.
    fs::write(&rows, "{\"sentence\": \"a good film\", \"label\": 9}\n").unwrap();
    assert!(predict(&model, &["--task", "sst2", "--data", str(&rows)])[0]["answer"].is_string());
    let said = fail(&["predict", "--model", str(&model), "--task", str(&task), "--data", str(&rows)]);
    assert!(said.contains("ask.jsonl") && said.contains("`text`"), "{said}");
}

#[test]
fn chats_are_answered_and_tasks_are_asked_through_the_template() {
    let [(place, _), _] = places();
    let model = place.path("model");
    let plain = predict(&model, &["--task", "sst2", "--text", "a good film"]);
    let said = fail(&["predict", "--model", str(&model), "--task", "sst2", "--text", "a good film", "--chat"]);
    assert!(said.contains("no chat template"), "{said}");
    let template = "{{ bos_token }}{% for m in messages %}{{ m.content }} {% endfor %}\
                    {% if add_generation_prompt %}was{% endif %}";
    fs::write(model.join("chat_template.jinja"), template).unwrap();
    let talk = place.path("talk.jsonl");
    let user = json!({ "role": "user", "content": "a film" });
    let answer = json!({ "role": "assistant", "content": "bad" });
    let rows = [json!({ "messages": [user] }), json!({ "messages": [user, answer] })];
    fs::write(&talk, format!("{}\n{}\n", rows[0], rows[1])).unwrap();
    let args = ["--task", "chat", "--max-new-tokens", "12"];
    let found = predict(&model, &[&args[..], &["--data", str(&talk)]].concat());
    assert_eq!((&found[0]["prompt"], &found[0]["answer"]), (&json!("<s>a film was"), &found[1]["answer"]));
    assert_eq!(predict(&model, &[&args[..], &["--text", "a film"]].concat())[0]["answer"], found[0]["answer"]);
    let whole = generate(&model, &talk, &[]);
    assert_eq!(found[0]["answer"], whole[0]["text"].as_str().unwrap().trim());
    // The prompt is the user's, the options the assistant's.
    let asked = predict(&model, &["--task", "sst2", "--text", "a good film", "--chat"]);
    assert_eq!(
        (&asked[0]["prompt"], &asked[0]["options"]),
        (&json!("<s>a good film It was was"), &json!(["terrible", "great"]))
    );
    assert_ne!(asked[0]["scores"], plain[0]["scores"]);
    let validation = place.path("data/validation.jsonl");
    let eval = |more: &[&str]| {
        let args = [
            "eval",
            "--model",
            str(&model),
            "--task",
            "sst2",
            "--data",
            str(&validation),
            "--limit",
            "8",
            "--json",
            "-q",
        ];
        lines(&succeed(&[&args[..], more].concat()).stdout).remove(0)
    };
    let (plain, chat) = (eval(&[]), eval(&["--chat"]));
    assert_eq!((&plain["chat"], &chat["chat"]), (&json!(false), &json!(true)));
    assert_ne!(plain["loss"], chat["loss"]);
    assert!(plain["other_intervals"]["acc"][0].as_f64() <= plain["others"]["acc"].as_f64(), "{plain}");
    // An evaluation asks what a prediction asks, and its samples show it.
    let task = place.path("ask.toml");
    let spec = "name = \"ask\"\nprompt = \"{{ text }}\"\ntarget = \"{{ answer }}\"\nmetric = \"f1\"\nmax_new_tokens = 12\nstop = []\n";
    fs::write(&task, spec).unwrap();
    fs::write(model.join("chat_template.jinja"), format!("{template} ")).unwrap();
    let data = place.path("ask");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("validation.jsonl"), "{\"text\": \"a good film\", \"answer\": \"bad\"}\n").unwrap();
    let samples = place.path("samples.jsonl");
    let args = ["--task", str(&task), "--data", str(&data), "--chat"];
    succeed(&[&["eval", "--model", str(&model), "--samples", str(&samples), "-q"], &args[..]].concat());
    let sample = lines(&fs::read(&samples).unwrap()).remove(0);
    let predicted = predict(&model, &args).remove(0);
    assert_eq!(
        (&sample["prompt"], sample["text"].as_str().unwrap().trim()),
        (&predicted["prompt"], predicted["answer"].as_str().unwrap())
    );
    assert!(sample["prompt"].as_str().unwrap().ends_with("was "), "{sample}");
    let said = fail(&["eval", "--model", str(&model), "--task", "chat", "--data", str(&talk), "--chat"]);
    assert!(said.contains("as it is"), "{said}");
}
