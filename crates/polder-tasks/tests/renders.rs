//! The texts that tasks make of rows, pinned.

use polder_tasks::{
    Error, LossKind, Metric, OptionsSpec, Overrides, Row, Task, TaskSpec, builtin, labelled, names, typed_row,
};

fn row(json: &str) -> Row {
    serde_json::from_str(json).unwrap()
}

fn task(toml: &str) -> polder_tasks::PromptTask {
    TaskSpec::from_toml(toml, "test").unwrap().compile().unwrap()
}

/// `prompt + option` of every option.
fn texts(task: &dyn Task, json: &str) -> Vec<String> {
    let example = task.example(&row(json), 0).unwrap();
    example.options.iter().map(|o| format!("{}{o}", example.prompt)).collect()
}

#[test]
fn sst2_renders_as_mezo_does() {
    let task = builtin("sst2").unwrap().unwrap().compile().unwrap();
    let cases = [
        (
            r#"{"sentence":"it 's a charming and often affecting journey . ","label":1,"idx":0}"#,
            "it 's a charming and often affecting journey . It was",
            Some(1),
        ),
        (
            r#"{"sentence":"unflinchingly bleak and desperate ","label":0,"idx":1}"#,
            "unflinchingly bleak and desperate It was",
            Some(0),
        ),
        (r#"{"sentence":"  a \"naïve\" {{ film }} ","label":-1,"idx":2}"#, "a \"naïve\" {{ film }} It was", None),
    ];
    for (number, (json, prompt, gold)) in cases.into_iter().enumerate() {
        let example = task.example(&row(json), 9).unwrap();
        assert_eq!((example.prompt.as_str(), example.gold, example.idx), (prompt, gold, number.to_string()));
        assert_eq!(example.options, [" terrible", " great"]);
    }
    assert_eq!((task.metric(), task.loss()), (Metric::Accuracy, LossKind::Options));
    assert_eq!(task.label_names(), Some(vec!["terrible".to_owned(), "great".to_owned()]));
}

#[test]
fn copa_renders_as_mezo_does() {
    let task = builtin("copa").unwrap().unwrap().compile().unwrap();
    let cases = [
        (
            r#"{"premise":"My body cast a shadow over the grass.","choice1":"The sun was rising.","choice2":"The grass was cut.","question":"cause","label":0,"idx":0}"#,
            [
                "My body cast a shadow over the grass because the sun was rising.",
                "My body cast a shadow over the grass because the grass was cut.",
            ],
        ),
        (
            r#"{"premise":"I emptied my pockets.","choice1":"I retrieved a ticket stub.","choice2":"I'd found a weapon.","question":"effect","label":0,"idx":1}"#,
            ["I emptied my pockets so I retrieved a ticket stub.", "I emptied my pockets so i'd found a weapon."],
        ),
        (
            r#"{"premise":"Did it rain? ","choice1":"Élan returned.","choice2":"I","question":"effect","label":1,"idx":2}"#,
            ["Did it rain? so élan returned.", "Did it rain? so I"],
        ),
    ];
    for (json, expected) in cases {
        assert_eq!(texts(&task, json), expected);
    }
    assert_eq!(task.example(&row(cases[0].0), 0).unwrap().prompt, "My body cast a shadow over the grass because");
    assert_eq!(task.loss(), LossKind::Target);
    assert_eq!(task.label_names(), None);
    // A third conjunction does not exist; the row is named.
    let odd = row(r#"{"premise":"a","choice1":"b","choice2":"c","question":"purpose","idx":41}"#);
    let error = task.example(&odd, 0).unwrap_err().to_string();
    assert!(error.contains("row `41`") && error.contains("prompt"), "{error}");
}

#[test]
fn arc_easy_renders_as_lm_evaluation_harness_does() {
    let task = builtin("arc-easy").unwrap().unwrap().compile().unwrap();
    let cases = [
        (
            r#"{"id":"Mercury_7220990","question":"Which factor will most likely cause a person to develop a fever?","choices":{"text":["a leg muscle relaxing after exercise","a bacterial population in the bloodstream","several viral particles on the skin","carbohydrates being digested in the stomach"],"label":["A","B","C","D"]},"answerKey":"B"}"#,
            "Question: Which factor will most likely cause a person to develop a fever?\nAnswer:",
            &[
                " a leg muscle relaxing after exercise",
                " a bacterial population in the bloodstream",
                " several viral particles on the skin",
                " carbohydrates being digested in the stomach",
            ][..],
            Some(1),
            "Mercury_7220990",
        ),
        (
            r#"{"id":"NY_1","question":"Ice is  water.","choices":{"text":["solid","liquid.","7.0"],"label":["1","2","3"]},"answerKey":"3"}"#,
            "Question: Ice is  water.\nAnswer:",
            &[" solid", " liquid.", " 7.0"],
            Some(2),
            "NY_1",
        ),
        (
            r#"{"id":"E_5","question":"A \"cell\" has","choices":{"text":["a","b","c","d","e f"],"label":["A","B","C","D","E"]},"answerKey":""}"#,
            "Question: A \"cell\" has\nAnswer:",
            &[" a", " b", " c", " d", " e f"],
            None,
            "E_5",
        ),
    ];
    for (json, prompt, options, gold, idx) in cases {
        let example = task.example(&row(json), 9).unwrap();
        assert_eq!((example.prompt.as_str(), example.gold, example.idx.as_str()), (prompt, gold, idx));
        assert_eq!(example.options, options);
    }
    assert_eq!((task.metric(), task.loss()), (Metric::Accuracy, LossKind::Options));
    assert_eq!(task.label_names(), None);
    // Another letter than the row's own is an error that names it.
    let odd = row(&cases[1].0.replace("\"answerKey\":\"3\"", "\"answerKey\":\"C\""));
    let error = task.example(&odd, 0).unwrap_err().to_string();
    assert!(error.contains("row `NY_1`") && error.contains("`C`"), "{error}");
}

#[test]
fn every_built_in_task_compiles_and_says_what_it_reads() {
    for name in names() {
        let task = builtin(name).unwrap().unwrap().compile().unwrap();
        assert_eq!(task.name(), name);
        assert!(!task.columns().is_empty());
    }
    assert!(builtin("sst3").is_none());
    let error = TaskSpec::resolve("sst3", std::path::Path::new(".")).unwrap_err().to_string();
    assert!(error.contains("`sst3`") && error.contains("`sst2`, `rte`"), "{error}");
}

#[test]
fn options_from_a_list_with_labels_of_their_own() {
    let task = task(
        "name = 'arc'\nprompt = \"Question: {{ question }}\\nAnswer:\"\noptions = 'choices.text'\nlabel = 'answerKey'\nlabels = '{{ choices.label }}'",
    );
    let json = r#"{"id":"M_7","question":"Which?","choices":{"text":["one","two","three"],"label":["A","B","C"]},"answerKey":"C"}"#;
    let example = task.example(&row(json), 0).unwrap();
    assert_eq!((example.idx.as_str(), example.gold), ("M_7", Some(2)));
    assert_eq!(example.options, [" one", " two", " three"]);
    assert_eq!(task.columns(), ["choices", "question"]);
    let error = task.example(&row(&json.replace("\"two\"", "null")), 0).unwrap_err().to_string();
    assert!(error.contains("row `M_7`") && error.contains("null"), "{error}");
    let error = task.example(&row(&json.replace("\"C\"}", "\"E\"}")), 0).unwrap_err().to_string();
    assert!(error.contains("`E`") && error.contains("`A`, `B`, `C`"), "{error}");
}

#[test]
fn labels_are_numbers_texts_truth_values_or_listed() {
    let plain = task("name = 't'\nprompt = '{{ x }}'\noptions = ['no', 'yes']\nlabel = 'y'");
    let gold = |task: &dyn Task, y: &str| task.example(&row(&format!(r#"{{"x":"a","y":{y}}}"#)), 0).map(|e| e.gold);
    for (label, expected) in [
        ("1", Some(1)),
        ("1.0", Some(1)),
        ("\"1\"", Some(1)),
        ("\"yes\"", Some(1)),
        ("\" no \"", Some(0)),
        ("true", Some(1)),
        ("false", Some(0)),
        ("null", None),
        ("-1", None),
        ("\"\"", None),
    ] {
        assert_eq!(gold(&plain, label).unwrap(), expected, "{label}");
    }
    for label in ["2", "0.5", "\"maybe\"", "1e300", "[2]", "-2"] {
        assert!(matches!(gold(&plain, label), Err(Error::Label { .. })), "{label}");
    }
    let listed = task("name = 't'\nprompt = '{{ x }}'\noptions = ['no', 'yes']\nlabel = 'y'\nlabels = ['1', '2']");
    assert_eq!(gold(&listed, "\"1\"").unwrap(), Some(0));
    assert_eq!(gold(&listed, "2").unwrap(), Some(1));
    assert!(gold(&listed, "0").is_err());
    // An expression works as well as a column.
    let computed = task("name = 't'\nprompt = '{{ x }}'\noptions = ['no', 'yes']\nlabel = 'y > 3'");
    assert_eq!(gold(&computed, "5").unwrap(), Some(1));
    assert_eq!(gold(&computed, "2").unwrap(), Some(0));
}

#[test]
fn the_joint_is_a_space_where_there_is_no_white_space() {
    let with = |prompt: &str, option: &str, joint: &str| {
        let toml = format!("name = 't'\nprompt = {prompt:?}\noptions = [{option:?}, 'b']\n{joint}");
        texts(&task(&toml), r#"{"x":"1"}"#).remove(0)
    };
    assert_eq!(with("{{ x }}:", "a", ""), "1: a");
    assert_eq!(with("{{ x }}:", " a", ""), "1: a");
    assert_eq!(with("{{ x }}:\n", "a", ""), "1:\na");
    assert_eq!(with("{{ x }}: ", "a", ""), "1: a");
    assert_eq!(with("{{ x }}:", "a", "joint = ''"), "1:a");
    assert_eq!(with("", "a", ""), "a");
}

#[test]
fn a_target_is_learnt_alone_or_chosen_among_options() {
    let free = task("name = 't'\nprompt = 'Q: {{ q }}'\ntarget = '{{ a | upper }}!'");
    let example = free.example(&row(r#"{"q":"who","a":"me"}"#), 3).unwrap();
    assert_eq!(
        (example.options.as_slice(), example.gold, example.idx.as_str()),
        ([" ME!".to_owned()].as_slice(), Some(0), "3")
    );
    assert_eq!((free.loss(), free.metric()), (LossKind::Target, Metric::Loss));
    let unlabelled = free.example(&row(r#"{"q":"who"}"#), 0).unwrap();
    assert_eq!((unlabelled.options.len(), unlabelled.gold), (0, None));

    let chosen = task("name = 't'\nprompt = 'Q: {{ q }}'\noptions = ['you', 'me']\ntarget = 'a'");
    assert_eq!(chosen.example(&row(r#"{"q":"who","a":"me "}"#), 0).unwrap().gold, Some(1));
    assert!(matches!(chosen.example(&row(r#"{"q":"who","a":"them"}"#), 0), Err(Error::Label { .. })));
}

#[test]
fn answers_are_generated_and_accepted() {
    let squad = builtin("squad").unwrap().unwrap().compile().unwrap();
    let json = r#"{"id":"q1","title":"Normans","context":"They came.","question":" Who? ","answers":{"text":["the Normans","Normans"],"answer_start":[0,4]}}"#;
    let example = squad.example(&row(json), 0).unwrap();
    assert_eq!(example.prompt, "Title: Normans\nContext: They came.\nQuestion: Who?\nAnswer:");
    assert_eq!((example.options.as_slice(), example.gold), ([" the Normans\n".to_owned()].as_slice(), Some(0)));
    assert_eq!(example.answers, ["the Normans", "Normans"]);
    assert_eq!((squad.stop(), squad.max_new_tokens(), squad.metric()), (vec!["\n".to_owned()], 50, Metric::F1));
    // By default the target is the only answer; a row without one accepts none.
    let own = task("name = 't'\nprompt = '{{ q }}'\ntarget = \"{{ a }}\\n\"\nstop = ['.', ';']\nmax_new_tokens = 7");
    assert_eq!(own.example(&row(r#"{"q":"x","a":"y z"}"#), 0).unwrap().answers, ["y z"]);
    assert!(own.example(&row(r#"{"q":"x"}"#), 0).unwrap().answers.is_empty());
    assert_eq!(
        (own.stop(), own.max_new_tokens(), own.metric()),
        (vec![".".to_owned(), ";".to_owned()], 7, Metric::Loss)
    );
}

#[test]
fn options_in_the_prompt_are_told_apart_by_what_follows() {
    let task = task(
        "name = 't'\nprompt = '{{ s.split(\"_\")[0] }}{{ option }}'\ncontinuation = '{{ s.split(\"_\")[1] }}'\noptions = ['{{ a }}', '{{ b }}']\nlabel = 'y'",
    );
    let example =
        task.example(&row(r#"{"s":"The cup fell, so _ broke.","a":"the cup","b":"the cat","y":0}"#), 0).unwrap();
    assert_eq!(example.prompts, ["The cup fell, so the cup", "The cup fell, so the cat"]);
    assert_eq!((example.prompt.as_str(), example.options), ("The cup fell, so the c", vec![" broke.".to_owned(); 2]));
    assert_eq!(
        (example.names.as_slice(), example.gold),
        (["the cup".to_owned(), "the cat".to_owned()].as_slice(), Some(0))
    );
    assert_eq!(task.columns(), ["a", "b", "s"]);
    let error = task.example(&row(r#"{"a":"x","b":"y"}"#), 3).unwrap_err();
    assert!(matches!(&error, Error::NoSuchColumn { missing, .. } if missing == "`s`"), "{error}");
}

#[test]
fn a_list_of_labels_names_all_options_that_count() {
    let task = task("name = 't'\nprompt = '{{ x }}'\noptions = 'o'\nlabel = 'y'");
    let right = |y: &str| {
        let example = task.example(&row(&format!(r#"{{"x":"1","o":["a","b","c"],"y":{y}}}"#)), 0).unwrap();
        (example.gold, example.also)
    };
    assert_eq!(right(r#"["c","a","c"]"#), (Some(2), vec![0]));
    assert_eq!(right("[]"), (None, vec![]));
    assert!(task.example(&row(r#"{"x":"1","o":["a","b"],"y":["a","d"]}"#), 0).is_err());
}

#[test]
fn columns_of_other_names_and_with_odd_names() {
    let renamed = task(
        "name = 't'\nprompt = '{{ sentence }}'\noptions = ['a', 'b']\nlabel = 'label'\n[columns]\nsentence = 'review text'\nlabel = 'stars (1-2)'",
    );
    let example = renamed.example(&row(r#"{"review text":"fine","stars (1-2)":1}"#), 0).unwrap();
    assert_eq!((example.prompt.as_str(), example.gold), ("fine", Some(1)));
    assert_eq!(renamed.columns(), ["review text"]);
    let whole = task("name = 't'\nprompt = '{{ row[\"my text\"] }}'\noptions = ['a', 'b']\nlabel = 'my label'");
    let example = whole.example(&row(r#"{"my text":"fine","my label":"b"}"#), 0).unwrap();
    assert_eq!((example.prompt.as_str(), example.gold), ("fine", Some(1)));
}

#[test]
fn a_missing_column_is_named_with_those_that_are_there() {
    let task = builtin("sst2").unwrap().unwrap().compile().unwrap();
    let error = task.example(&row(r#"{"text":"a","label":0}"#), 12).unwrap_err();
    assert!(matches!(error, Error::NoSuchColumn { .. }));
    let text = error.to_string();
    for part in ["row `12`", "`prompt`", "`sst2`", "`sentence`", "`text`, `label`"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // Filters and methods say of a missing column only that they dislike it.
    for prompt in
        ["{{ body | trim }}", "{{ body | lower_first_word }}", "{{ body.strip() }}", "{{ text ~ body | int }}"]
    {
        let spec = TaskSpec { prompt: Some(prompt.to_owned()), ..builtin("sst2").unwrap().unwrap() };
        let error = spec.compile().unwrap().example(&row(r#"{"text":"a","label":0}"#), 12).unwrap_err();
        assert!(matches!(&error, Error::NoSuchColumn { missing, .. } if missing == "`body`"), "{prompt}: {error}");
    }
    let spec = TaskSpec {
        prompt: Some("{{ text if text is defined else body }}".to_owned()),
        ..builtin("sst2").unwrap().unwrap()
    };
    let error = spec.compile().unwrap().example(&row(r#"{"text":null}"#), 12).unwrap_err().to_string();
    assert!(error.contains("null"), "{error}");
}

#[test]
fn null_is_not_printed_and_escapes_are_not_made() {
    let task = task("name = 't'\nprompt = '{{ x }}'\noptions = ['a', 'b']");
    assert!(matches!(task.example(&row(r#"{"x":null}"#), 0), Err(Error::Render { .. })));
    assert_eq!(task.example(&row(r#"{"x":"<b> & \"c\""}"#), 0).unwrap().prompt, "<b> & \"c\"");
    assert_eq!(task.example(&row(r#"{"x":12}"#), 0).unwrap().prompt, "12");
}

#[test]
fn a_null_is_not_printed_as_a_word_by_filters_and_operators() {
    for prompt in
        ["{{ x | trim }}", "{{ x | upper }}!", "{{ x ~ '.' }}", "a {{ x | replace('b', 'c') }}", "{{ x.y | trim }}"]
    {
        let task = task(&format!("name = 't'\nprompt = \"{prompt}\"\noptions = ['a', 'b']"));
        let null = if prompt.contains("x.y") { r#"{"x":{"y":null}}"# } else { r#"{"x":null}"# };
        let error = task.example(&row(null), 7).unwrap_err().to_string();
        assert!(error.contains("null") && error.contains('7'), "{prompt}: {error}");
        // The word itself is a text like others, also where another column is null.
        let word = if prompt.contains("x.y") { r#"{"x":{"y":"None"},"z":null}"# } else { r#"{"x":"None","z":null}"# };
        assert!(task.example(&row(word), 7).is_ok(), "{prompt}");
    }
    // What a template does about a null is its own affair.
    for prompt in [
        "{{ x | trim if x is not none else 'nothing' }}",
        "{{ x or 'nothing' }}",
        "{% if x %}{{ x | trim }}{% endif %}no",
    ] {
        let task = task(&format!("name = 't'\nprompt = \"{prompt}\"\noptions = ['a', 'b']"));
        let said = task.example(&row(r#"{"x":null}"#), 0).unwrap().prompt;
        assert!(["nothing", "no"].contains(&said.as_str()), "{prompt}: {said}");
    }
}

#[test]
fn no_built_in_task_takes_a_null_for_a_text() {
    for (name, json, columns) in [
        ("sst2", r#"{"sentence":"a","label":0}"#, &["sentence"][..]),
        ("sst5", r#"{"text":"a","label":0}"#, &["text"]),
        ("trec", r#"{"text":"a","coarse_label":0}"#, &["text"]),
        ("mnli", r#"{"premise":"a","hypothesis":"b","label":0}"#, &["premise", "hypothesis"]),
        ("snli", r#"{"premise":"a","hypothesis":"b","label":0}"#, &["premise", "hypothesis"]),
        ("rte", r#"{"premise":"a","hypothesis":"b","label":0}"#, &["premise", "hypothesis"]),
        ("cb", r#"{"premise":"a","hypothesis":"b","label":0}"#, &["premise", "hypothesis"]),
        ("boolq", r#"{"passage":"a","question":"b","label":0}"#, &["passage", "question"]),
        (
            "copa",
            r#"{"premise":"a.","question":"cause","choice1":"B","choice2":"C","label":0}"#,
            &["premise", "choice1", "choice2"],
        ),
        ("piqa", r#"{"goal":"a","sol1":"b","sol2":"c","label":0}"#, &["goal", "sol1", "sol2"]),
        (
            "winogrande",
            r#"{"sentence":"a _ b","option1":"x","option2":"y","answer":"1"}"#,
            &["sentence", "option1", "option2"],
        ),
        (
            "squad",
            r#"{"id":"1","title":"t","context":"c","question":"q","answers":{"text":["a"]}}"#,
            &["title", "context", "question"],
        ),
    ] {
        let task = builtin(name).unwrap().unwrap().compile().unwrap();
        task.example(&row(json), 0).unwrap_or_else(|e| panic!("{name}: {e}"));
        for column in columns {
            let mut nulled = row(json);
            nulled.insert((*column).to_owned(), serde_json::Value::Null);
            let error = task.example(&nulled, 0).map(|example| example.prompt);
            assert!(error.is_err(), "{name}, `{column}`: {error:?}");
        }
    }
}

#[test]
fn runaway_templates_are_stopped() {
    let task = task(
        "name = 't'\nprompt = '{% for i in range(100000) %}{% for j in range(100000) %}{{ x }}{% endfor %}{% endfor %}'\noptions = ['a', 'b']",
    );
    let error = task.example(&row(r#"{"x":"a"}"#), 0).unwrap_err().to_string();
    assert!(error.contains("fuel"), "{error}");
}

#[test]
fn incomplete_or_contradictory_tasks_are_refused() {
    let reasons = [
        ("name = 't'", "`prompt` is missing"),
        ("name = 't'\nprompt = 'a'", "neither `options` nor `target`"),
        ("name = 't'\nprompt = 'a'\noptions = ['x']", "fewer than two"),
        ("name = 't'\nprompt = 'a'\noptions = ['x', 'y', ' x']", "two options are equal"),
        ("name = 't'\nprompt = 'a'\ntarget = 'y'\nlabel = 'z'\noptions = ['x', 'y']", "both `label` and `target`"),
        ("name = 't'\nprompt = 'a'\ntarget = 'y'\nloss = 'options'", "needs `options`"),
        ("name = 't'\nprompt = 'a'\ntarget = 'y'\nmetric = 'accuracy'", "nothing is predicted"),
        ("name = 't'\nprompt = 'a'\noptions = ['x', 'y']\nlabel = 'l'\nlabels = ['1']", "differ in length"),
        ("name = 't'\nprompt = 'a'\noptions = ['x', 'y']\nmetric = 'f1'", "score generated texts"),
        ("name = 't'\nprompt = 'a'\noptions = ['x', 'y']\nstop = ['.']", "nothing is generated"),
        ("name = 't'\nprompt = 'a'\ntarget = 'y'\nnormalize = 'none'", "but no `options`"),
        ("name = 't'\nprompt = 'a'\ntarget = 'y'\nmax_new_tokens = 0", "`max_new_tokens` is 0"),
        ("name = 't'\nprompt = 'a'\ntarget = 'y'\nstop = ['']", "`stop` is empty"),
        ("name = 't'\nprompt = '{{ a '\noptions = ['x', 'y']", "key `prompt`"),
        ("name = 't'\nprompt = '{{ a | nosuch }}'\noptions = ['x', 'y']", "nosuch"),
        ("name = 't'\nprompt = 'a'\noptions = 'x[('", "key `options`"),
        ("name = 't'\nprompt = 'a'\noptions = ['x', '{% if %}']", "key `options[1]`"),
        ("name = 't'\npromt = 'a'", "promt"),
        ("prompt = 'a'", "name"),
        ("name = ", "test"),
    ];
    for (toml, reason) in reasons {
        let outcome = TaskSpec::from_toml(toml, "test").and_then(TaskSpec::compile);
        // A filter is looked up when it runs.
        let outcome = outcome.and_then(|task| task.example(&row(r#"{"a":"b"}"#), 0).map(|_| ()));
        let error = outcome.expect_err(toml).to_string();
        assert!(error.contains(reason), "{reason} in {error}");
    }
}

#[test]
fn a_config_overrides_single_keys() {
    let keys = Overrides {
        prompt: Some("Review: {{ sentence }}\nSentiment:".to_owned()),
        options: Some(OptionsSpec::Each(vec!["bad".to_owned(), "good".to_owned()])),
        metric: Some(Metric::MacroF1),
        ..Overrides::default()
    };
    let task = builtin("sst2").unwrap().unwrap().override_with(&keys).compile().unwrap();
    assert_eq!(
        texts(&task, r#"{"sentence":"x","label":1}"#),
        ["Review: x\nSentiment: bad", "Review: x\nSentiment: good"]
    );
    assert_eq!((task.metric(), task.loss()), (Metric::MacroF1, LossKind::Options));
    // A target takes the label's place.
    let keys = Overrides { target: Some("verdict".to_owned()), ..Overrides::default() };
    let task = builtin("sst2").unwrap().unwrap().override_with(&keys).compile().unwrap();
    assert_eq!(task.example(&row(r#"{"sentence":"x","verdict":"great"}"#), 0).unwrap().gold, Some(1));
    // Everything may come from the config.
    let keys = Overrides { prompt: Some("{{ q }}".to_owned()), target: Some("a".to_owned()), ..Overrides::default() };
    let task = TaskSpec::named("own").override_with(&keys).compile().unwrap();
    assert_eq!(texts(&task, r#"{"q":"x","a":"y"}"#), ["x y"]);
}

#[test]
fn a_specification_survives_being_written() {
    for name in names() {
        let spec = builtin(name).unwrap().unwrap();
        let text = toml::to_string(&spec).unwrap();
        assert_eq!(TaskSpec::from_toml(&text, name).unwrap(), spec);
    }
}

#[test]
fn unlabelled_rows_are_refused_where_a_label_is_needed() {
    let task = builtin("sst2").unwrap().unwrap().compile().unwrap();
    let rows = [polder_tasks::Drawn { number: 4, row: row(r#"{"sentence":"a"}"#) }];
    let error = labelled(&task, &rows).unwrap_err().to_string();
    assert!(
        error.contains("row `4`") && error.contains("label = \"label\"") && error.contains("`sentence`"),
        "{error}"
    );
}

#[test]
fn a_typed_text_fills_the_only_column() {
    let sst2 = builtin("sst2").unwrap().unwrap().compile().unwrap();
    let typed = typed_row(&sst2, "so good").unwrap();
    assert_eq!(sst2.example(&typed, 0).unwrap().prompt, "so good It was");
    let copa = builtin("copa").unwrap().unwrap().compile().unwrap();
    let error = typed_row(&copa, "so good").unwrap_err().to_string();
    assert!(error.contains("`choice1`, `choice2`, `premise`, `question`"), "{error}");
}

#[test]
fn the_example_of_tasks_md_works() {
    let page = include_str!("../TASKS.md");
    let block = |kind: &str| page.split("```").find_map(|part| part.strip_prefix(kind)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("train.csv");
    std::fs::write(&path, block("csv\n")).unwrap();
    let rows = polder_tasks::data::read_file(&path, None).unwrap();
    let task = task(block("toml\n"));
    let examples: Vec<_> = rows.iter().map(|row| task.example(row, 0).unwrap()).collect();
    assert_eq!(
        examples[0].prompt,
        "Subject: Cannot log in\nSince this morning, nobody in the office can log in.\nHow urgent is this?"
    );
    let gold: Vec<_> = examples.iter().map(|e| (e.idx.as_str(), e.gold)).collect();
    assert_eq!(gold, [("t1", Some(1)), ("t2", Some(0))]);
    assert_eq!(examples[1].options, [" not at all", " very"]);
    // The config that says the same by itself: the third block, after the task and the config that names it.
    let config = page.split("```").filter_map(|part| part.strip_prefix("toml\n")).nth(2).unwrap();
    let config: toml::Table = toml::from_str(config).unwrap();
    let mut own = config["task"].as_table().unwrap().clone();
    own.remove("data").unwrap();
    own.insert("metric".to_owned(), config["eval"]["metric"].clone());
    let own = TaskSpec::from_toml(&toml::to_string(&own).unwrap(), "the config").unwrap();
    assert_eq!(own, TaskSpec::from_toml(block("toml\n"), "the task file").unwrap());
}
