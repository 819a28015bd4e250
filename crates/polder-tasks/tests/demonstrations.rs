//! Demonstrations, and prompts without content.

mod support;

use polder_tasks::{BosPolicy, DataFolder, Demonstrations, Drawn, Encoder, Error, Row, Split, Task, TaskSpec, builtin};
use support::{BOS, bos_and, tokenizer};

fn folder(rows: usize) -> (tempfile::TempDir, DataFolder) {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<String> =
        (0..rows).map(|i| format!(r#"{{"sentence":"film {i} ","label":{}}}"#, usize::from(i % 3 == 0))).collect();
    std::fs::write(dir.path().join("train.jsonl"), lines.join("\n")).unwrap();
    let data = DataFolder::open(dir.path()).unwrap();
    (dir, data)
}

fn row(json: &str) -> Row {
    serde_json::from_str(json).unwrap()
}

#[test]
fn demonstrations_are_answered_rows_of_the_train_split() {
    let (_dir, data) = folder(20);
    let task = builtin("sst2").unwrap().unwrap().compile().unwrap();
    let shots = Demonstrations::draw(&data, &task, 3, 5).unwrap();
    let expected: String = shots
        .rows()
        .iter()
        .map(|i| format!("film {i} It was {}\n\n", if i.is_multiple_of(3) { "great" } else { "terrible" }))
        .collect();
    assert_eq!(shots.text(), expected);
    let mut example = task.example(&row(r#"{"sentence":"so good","label":1}"#), 0).unwrap();
    shots.put_before(&task, &mut example);
    assert_eq!(example.prompt, format!("{expected}so good It was"));
    assert_eq!(example.content_free, Some(format!("{expected}It was")));
    // More begin with those of fewer; another seed draws others; none changes nothing.
    let more = Demonstrations::draw(&data, &task, 8, 5).unwrap();
    assert!(more.text().starts_with(&expected));
    assert_ne!(Demonstrations::draw(&data, &task, 8, 6).unwrap(), more);
    let before = example.clone();
    Demonstrations::draw(&data, &task, 0, 5).unwrap().put_before(&task, &mut example);
    assert_eq!(example, before);
    let error = Demonstrations::draw(&data, &task, 21, 5).unwrap_err();
    assert!(matches!(&error, Error::TooFewRows { .. }) && error.to_string().contains("20 rows"), "{error}");
}

#[test]
fn rows_that_demonstrate_are_not_evaluated() {
    let (_dir, data) = folder(6);
    let task = builtin("sst2").unwrap().unwrap().compile().unwrap();
    let shots = Demonstrations::draw(&data, &task, 2, 0).unwrap();
    let rows = || (0..6).map(|number| Drawn { number, row: Row::new() }).collect::<Vec<_>>();
    let (mut train, mut validation) = (rows(), rows());
    assert_eq!((shots.leave_out(Split::Train, &mut train), train.len()), (2, 4));
    assert!(train.iter().all(|drawn| !shots.rows().contains(&drawn.number)));
    assert_eq!(shots.leave_out(Split::Validation, &mut validation), 0);
}

#[test]
fn an_instruction_stands_once_and_in_front() {
    let (_dir, data) = folder(4);
    let spec = "name = 't'\ninstruction = \"Judge.\\n\"\nprompt = '{{ sentence | trim }} {{ option }}'\ncontinuation = '!'\noptions = ['x', 'y']\nlabel = 'label'\ndemonstration_joint = ' / '";
    let task = TaskSpec::from_toml(spec, "t").unwrap().compile().unwrap();
    let shots = Demonstrations::draw(&data, &task, 2, 0).unwrap();
    let mut example = task.example(&row(r#"{"sentence":"s","label":0}"#), 0).unwrap();
    assert_eq!(example.prompts, ["Judge.\ns x", "Judge.\ns y"]);
    shots.put_before(&task, &mut example);
    let [first, second] = shots.rows() else { panic!("two rows") };
    let word = |i: &usize| if i.is_multiple_of(3) { "y" } else { "x" };
    let front = format!("Judge.\nfilm {first} {} ! / film {second} {} ! / s ", word(first), word(second));
    assert_eq!(example.prompts, [format!("{front}x"), format!("{front}y")]);
    assert_eq!(example.prompt, front);
}

#[test]
fn an_empty_prompt_without_content_gets_a_bos_where_nothing_else_is_in_front() {
    let task = builtin("rte").unwrap().unwrap().compile().unwrap();
    let example = task.example(&row(r#"{"premise":"a","hypothesis":"b","label":0}"#), 0).unwrap();
    let first = |post, bos: Option<u32>| {
        let encoder = Encoder::new(tokenizer(&[], post), BosPolicy::Tokenizer, bos, 64).unwrap();
        encoder.encode_content_free(&example).map(|e| e.unwrap().options.iter().map(|o| (o.ids[0], o.scored)).collect())
    };
    let with_bos: Vec<(u32, usize)> = vec![(BOS, 3), (BOS, 2)];
    assert_eq!(first(serde_json::Value::Null, Some(BOS)).unwrap(), with_bos);
    assert_eq!(first(bos_and(false), None).unwrap(), with_bos);
    // Without any BOS the first token of an option has nothing that predicts it.
    let bare: Vec<(u32, usize)> = first(serde_json::Value::Null, None).unwrap();
    assert_eq!(bare.iter().map(|(_, scored)| *scored).collect::<Vec<_>>(), [2, 1]);
    let plain = polder_tasks::Example { content_free: None, ..example.clone() };
    let encoder = Encoder::new(tokenizer(&[], bos_and(false)), BosPolicy::Tokenizer, None, 64).unwrap();
    assert_eq!(encoder.encode_content_free(&plain).unwrap(), None);
}

#[test]
fn lengths_are_those_of_the_options_without_their_joint() {
    let task = builtin("piqa").unwrap().unwrap().compile().unwrap();
    let example = task.example(&row(r#"{"goal":"g","sol1":"naïve","sol2":"a b","label":0}"#), 0).unwrap();
    let encoder = Encoder::new(tokenizer(&[], bos_and(false)), BosPolicy::Tokenizer, None, 64).unwrap();
    let lengths = encoder.encode(&example).unwrap().lengths;
    assert_eq!(lengths.iter().map(|l| (l.characters, l.bytes)).collect::<Vec<_>>(), [(5, 6), (3, 3)]);
}
