//! Files that are refused, results that are kept, and sums that are known.

use std::path::Path;

use super::found::{Ended, Found, Scored};
use super::*;

/// Reads a comparison from text.
fn load(text: &str) -> Result<Comparison, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    std::fs::write(&path, text).unwrap();
    Comparison::load(&path).map_err(|error| error.to_string())
}

/// A result with these marks for rows of that digest.
fn found(arm: &str, seed: u64, rows: &str, marks: &[f64]) -> Found {
    let score = marks.iter().sum::<f64>() / marks.len() as f64;
    let scored = Scored {
        metric: "accuracy".to_owned(),
        score,
        loss: Some(0.5 + seed as f64),
        majority: Some(0.5),
        step: 4,
        steps: 4,
        forwards: 8,
        seconds: 2.0,
        rows: Some(rows.to_owned()),
        marks: marks.to_vec(),
        trace: Some(polder_sharpness::Measured { value: 10.0, standard_error: 3.0, samples: 4, forwards: 9 }),
        curve: vec![[2.0, 0.9], [4.0, 0.8]],
    };
    let ended = Ended::Scored(Box::new(scored));
    let key = format!("{arm}{seed}");
    Found { case: "all".to_owned(), arm: arm.to_owned(), seed, key, polder: "0".to_owned(), ended }
}

const TWO: &str =
    "config = \"a.toml\"\nseeds = [3, 1]\n[[arm]]\nname = \"a\"\n[[arm]]\nname = \"b\"\nset = [\"steps=2\"]\n";

#[test]
fn a_file_says_what_is_compared() {
    let comparison = load(TWO).unwrap();
    assert!(comparison.config.is_absolute() && comparison.config.ends_with("a.toml"), "{comparison:?}");
    assert_eq!((comparison.against.as_str(), comparison.cases.len(), comparison.trace), ("a", 1, None));
    let names: Vec<String> = comparison.cells().iter().map(Cell::to_string).collect();
    assert_eq!(names, ["all, a, seed 3", "all, b, seed 3", "all, a, seed 1", "all, b, seed 1"]);
    for (change, said) in [
        (("seeds = [3, 1]", "seeds = []"), "`seeds` is empty"),
        (("seeds = [3, 1]", "seeds = [1, 1]"), "`seeds` names one twice"),
        (("seeds = [3, 1]", "seeds = [-1]"), "line 2"),
        (
            ("seeds = [3, 1]\n", "seeds = [1]\nagainst = \"c\"\n"),
            "`against` names `c`, which is no arm; there is `a`, `b`",
        ),
        (("seeds = [3, 1]\n", "seeds = [1]\ntrace = { probes = 1, rows = 4 }\n"), "`trace` needs 2 `probes`"),
        (("\"b\"", "\"a\""), "two arms are called `a`"),
        (("steps=2", "seed=2"), "`seed=2` would have no effect"),
        (("steps=2", "task.seed = 2"), "`task.seed = 2` would have no effect"),
        (("\"b\"", "\"../b\""), "`../b` is no name for one arm"),
        (("\"b\"", "\"\""), "`` is no name"),
        (("set = ", "sets = "), "unknown field `sets`"),
        (("config", "confg"), "unknown field `confg`"),
        (("[[arm]]", "[[arm]"), "line 3"),
    ] {
        let error = load(&TWO.replacen(change.0, change.1, if change.0 == "[[arm]]" { 1 } else { 9 })).unwrap_err();
        assert!(error.contains(said) && error.contains("c.toml"), "{change:?}: {error}");
    }
    assert!(Comparison::load(Path::new("nowhere.toml")).unwrap_err().to_string().contains("nowhere.toml"));
    assert!(Comparison::load(&std::env::temp_dir()).unwrap_err().to_string().contains("no file"));
}

#[test]
fn differences_are_taken_row_by_row_and_seed_by_seed() {
    let comparison = load(TWO).unwrap();
    let all = [
        found("a", 1, "r", &[1.0, 0.0, 0.0, 1.0]),
        found("a", 3, "r", &[1.0, 0.0, 1.0, 1.0]),
        found("b", 3, "r", &[1.0, 1.0, 1.0, 1.0]),
    ];
    let summary = summarise(&comparison, &all).unwrap();
    let [a, b] = summary.rows.as_slice() else { panic!("{summary:?}") };
    assert_eq!(
        (a.seeds.as_slice(), a.scores.as_slice(), a.score),
        ([1, 3].as_slice(), [0.5, 0.75].as_slice(), Some(0.625))
    );
    assert_eq!((a.loss, a.trace, a.trace_error), (Some(2.5), Some(10.0), Some(3.0 / 2f64.sqrt())));
    assert!(a.against.is_none());
    // Seed 3 alone has both: rows differ by 0, 1, 0, 0.
    let against = b.against.as_ref().unwrap();
    assert_eq!((against.difference, against.differences.as_slice()), (0.25, [0.25].as_slice()));
    let [low, high] = against.interval.unwrap();
    assert!(low == 0.0 && (0.5..=0.75).contains(&high), "{low} {high}");

    // Other rows can't be held against these, and seeds with other rows make no more rows than there are.
    let other = [all[1].clone(), found("b", 3, "s", &[1.0, 1.0, 1.0, 1.0])];
    let summary = summarise(&comparison, &other).unwrap();
    assert_eq!(
        (&summary.rows[1].against, summary.rows[1].apart.as_deref()),
        (&None, Some("the two were scored on different rows"))
    );
    let mut f1 = found("b", 3, "r", &[1.0, 1.0, 1.0, 1.0]);
    let Ended::Scored(scored) = &mut f1.ended else { panic!("{f1:?}") };
    scored.metric = "macro-f1".to_owned();
    let summary = summarise(&comparison, &[all[1].clone(), f1]).unwrap();
    let why = "it was scored by macro-f1, the other by accuracy";
    assert_eq!((&summary.rows[1].against, summary.rows[1].apart.as_deref()), (&None, Some(why)));
    let two = [found("a", 1, "r", &[1.0, 0.0]), found("a", 3, "s", &[1.0, 1.0])];
    assert_eq!(summarise(&comparison, &two).unwrap().rows[0].interval, None);
    // One seed's right answers have Wilson's interval, as in the run's own report; what all rows share has no spread.
    let one = summarise(&comparison, &[found("a", 1, "r", &[1.0; 20])]).unwrap();
    let wilson = polder_tasks::statistics::wilson(20, 20).unwrap();
    assert_eq!(one.rows[0].interval, Some([wilson.low, wilson.high]));
    let same = [found("a", 1, "r", &[0.5; 9]), found("b", 1, "r", &[0.75; 9])];
    let rows = summarise(&comparison, &same).unwrap().rows;
    assert_eq!((rows[0].interval, rows[1].against.as_ref().unwrap().interval), (None, None));

    let lost = Ended::Failed { failed: "the loss is NaN\nhint".to_owned() };
    let summary = summarise(&comparison, &[Found { ended: lost, ..all[0].clone() }]).unwrap();
    let row = &summary.rows[0];
    assert_eq!((row.seeds.len(), row.failed, row.score, row.interval), (0, 1, None, None));
    assert!(summary.rows[1].against.is_none());
}

#[test]
fn results_survive_a_line_that_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    assert!(Results::read(&out).unwrap().get("a1").is_none() && !out.exists());
    let mut results = Results::open(&out).unwrap();
    let failed = Found { ended: Ended::Failed { failed: "x".to_owned() }, ..found("b", 2, "r", &[1.0]) };
    let all = [found("a", 1, "r", &[0.0, 1.0]), failed];
    all.iter().for_each(|found| results.add(found.clone()).unwrap());
    assert!(Results::open(&out).unwrap_err().to_string().contains("out"), "another process is refused");
    drop(results);
    let path = out.join("results.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}{{\"case\":")).unwrap();
    assert_eq!(Results::read(&out).unwrap().get("b2"), Some(&all[1]));
    let results = Results::open(&out).unwrap();
    assert_eq!((results.get("a1"), results.get("b2"), results.get("a")), (Some(&all[0]), Some(&all[1]), None));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    drop(results);
    // A result that lacks its line break only is kept.
    std::fs::write(&path, whole.trim_end()).unwrap();
    assert_eq!(Results::open(&out).unwrap().get("b2"), Some(&all[1]));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    std::fs::write(&path, "{}\n").unwrap();
    let error = Results::open(&out).unwrap_err().to_string();
    assert!(error.contains("results.jsonl") && error.contains("line 1"), "{error}");
}
