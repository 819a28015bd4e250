//! Sequences that grow in a cache: the bits of plain passes, and the tokens that transformers generates.

use polder_models::{Cache, Error, Tokens};
use polder_perturb::{Law, Next, Points, Seed, Shift};

use crate::fixture::{Golden, golden, largest_difference, log_probs, reader, variants};

const READERS: [&str; 2] = ["plain f64", "cpu"];

/// The log-probability of the likeliest token after each row of `ids[from..]`, from one plain pass over them.
fn plain(golden: &Golden, reader_name: &str, points: &Points, ids: &[u32], from: usize, tokens: &[u32]) -> Vec<f64> {
    let mut input = Tokens::new();
    input.push(ids);
    tokens.iter().enumerate().for_each(|(i, token)| input.want(from + i, *token));
    let at = reader(reader_name, &golden.params, points);
    log_probs(golden.model.as_ref(), at.as_ref(), &input)
}

fn log_prob(next: &Next) -> f64 {
    f64::from(next.logit) - next.log_sum
}

/// Three sequences that begin alike and grow side by side, of different lengths, one taking another's place; every
/// log-probability is held against a plain pass over the whole sequence.
#[test]
fn a_cached_sequence_has_the_log_probabilities_of_a_plain_pass() {
    let points = Points::new(Law::Gaussian, &[Shift::along(Seed(5), 0.01)]);
    for name in variants() {
        let golden = golden(&name);
        let model = golden.model.as_ref();
        for (reader_name, common) in READERS.into_iter().flat_map(|r| [(r, 3), (r, 0)]) {
            let at = reader(reader_name, &golden.params, &points);
            let (shared, rest) = golden.ids[0].split_at(common);
            let sequences =
                [[shared, &rest[..6]].concat(), [shared, &golden.ids[1][..2]].concat(), golden.ids[0].clone()];
            let mut cache = Cache::new(&model.describe(), at.as_ref(), common, 2, 20).unwrap();
            cache.begin(model, at.as_ref(), shared).unwrap();
            let mut grown: Vec<Vec<u32>> = sequences.to_vec();
            let mut found: Vec<Vec<(u32, f64)>> = vec![Vec::new(); 3];
            // Which sequence has which place: the second makes room for the third.
            for (step, parts) in
                [[Some(0), Some(1)], [Some(1), None], [Some(0), Some(1)], [Some(0), Some(2)]].iter().enumerate()
            {
                let present: Vec<(usize, usize)> = (0..2).filter_map(|place| Some((place, parts[place]?))).collect();
                // One that comes alone, to its own place.
                let present = if step == 1 { vec![(1, 1)] } else { present };
                if step == 3 {
                    cache.clear(1);
                    assert_eq!(cache.tokens(1), common);
                }
                let given: Vec<(usize, Vec<u32>)> =
                    present.iter().map(|(place, s)| (*place, grown[*s][cache.tokens(*place)..].to_vec())).collect();
                let given: Vec<(usize, &[u32])> = given.iter().map(|(place, ids)| (*place, ids.as_slice())).collect();
                let next = cache.extend(model, at.as_ref(), &given, false).unwrap();
                for ((_, s), next) in present.iter().zip(&next) {
                    found[*s].push((next.token, log_prob(next)));
                    grown[*s].push(next.token);
                }
            }
            for ((ids, start), found) in grown.iter().zip(&sequences).zip(&found) {
                let (tokens, found): (Vec<u32>, Vec<f64>) = found.iter().copied().unzip();
                assert_eq!(ids[start.len()..], tokens);
                let expected = plain(&golden, reader_name, &points, &ids[..ids.len() - 1], start.len() - 1, &tokens);
                // Next says logits in f32 and their sum in f64; with plain operations only rounding is promised.
                let allowed = if reader_name == "cpu" { 0.0 } else { 1e-5 };
                let apart = largest_difference(&found, &expected);
                assert!(apart <= allowed, "{name} with {reader_name}: differs by {apart:.2e}");
            }
        }
    }
}

/// What no other token comes near to: the first that a plain pass over the whole finds likeliest is what the cache says.
#[test]
fn the_likeliest_token_is_that_of_all_log_probabilities() {
    let golden = golden("llama-gqa-tied");
    let (points, model) = (Points::plain(), golden.model.as_ref());
    let at = reader("cpu", &golden.params, &points);
    let ids = &golden.ids[0][..7];
    let mut input = Tokens::new();
    input.push(ids);
    (0..model.vocab_size() as u32).for_each(|token| input.want(6, token));
    let all = log_probs(model, at.as_ref(), &input);
    let best = (0..all.len()).fold(0, |best, i| if all[i] > all[best] { i } else { best });
    let mut cache = Cache::new(&model.describe(), at.as_ref(), 0, 1, 8).unwrap();
    let next = cache.extend(model, at.as_ref(), &[(0, ids)], true).unwrap().remove(0);
    assert_eq!(next.token as usize, best);
    let found: Vec<f64> = next.logits.iter().map(|y| f64::from(*y) - next.log_sum).collect();
    assert_eq!(found, all);
}

#[test]
fn what_does_not_fit_a_cache_is_refused_and_changes_nothing() {
    let golden = golden("opt");
    let (points, model) = (Points::plain(), golden.model.as_ref());
    let at = reader("cpu", &golden.params, &points);
    let about = model.describe();
    let mut cache = Cache::new(&about, at.as_ref(), 2, 2, 5).unwrap();
    let ids = &golden.ids[0];
    assert!(matches!(cache.begin(model, at.as_ref(), &ids[..3]), Err(Error::InputStem { .. })));
    cache.begin(model, at.as_ref(), &ids[..2]).unwrap();
    let mut extend =
        |parts: &[(usize, &[u32])]| cache.extend(model, at.as_ref(), parts, false).map(|next| next[0].token);
    assert!(matches!(extend(&[(2, &ids[..1])]), Err(Error::CachePlace { place: 2 })));
    assert!(matches!(extend(&[(0, &ids[..1]), (0, &ids[..1])]), Err(Error::CachePlace { place: 0 })));
    assert!(matches!(extend(&[(0, &ids[..6])]), Err(Error::CacheFull { place: 0, tokens: 6, room: 5 })));
    assert!(matches!(extend(&[(0, &[])]), Err(Error::InputEmpty)));
    assert!(extend(&[(0, &[u32::MAX])]).is_err());
    let first = extend(&[(0, &ids[2..5])]).unwrap();
    assert!(matches!(extend(&[(0, &ids[..3])]), Err(Error::CacheFull { room: 2, .. })));
    assert_eq!(extend(&[(1, &ids[2..5])]).unwrap(), first);
    // The model has 32 positions; a cache may have more room, but no token may stand there.
    let mut cache = Cache::new(&about, at.as_ref(), 0, 1, 40).unwrap();
    let long = vec![3; 33];
    assert!(matches!(cache.extend(model, at.as_ref(), &[(0, &long)], false), Err(Error::InputOutside { .. })));
    assert!(matches!(Cache::new(&about, at.as_ref(), 0, usize::MAX, 2), Err(Error::CacheSize { .. })));
    assert!(matches!(Cache::new(&about, at.as_ref(), 0, 1 << 20, 1 << 20), Err(Error::CacheSize { .. })));
    assert_eq!(Cache::bytes(&about, 2, 2, 5), Some(12 * 2 * 24 * 2 * 4));
}

/// Prompts of every variant, side by side in one cache, continued as `golden/make_generated.py` had it done.
#[test]
fn greedy_continuations_are_those_of_transformers() {
    let golden_file = include_str!("../golden/generated.json");
    let all: serde_json::Value = serde_json::from_str(golden_file).unwrap();
    let ids = |value: &serde_json::Value| -> Vec<u32> {
        value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
    };
    for name in variants() {
        let (golden, cases) = (golden(&name), all[&name].as_array().unwrap());
        let (points, model) = (Points::plain(), golden.model.as_ref());
        let at = reader("cpu", &golden.params, &points);
        let mut cache = Cache::new(&model.describe(), at.as_ref(), 0, cases.len(), 28).unwrap();
        let mut given: Vec<Vec<u32>> = cases.iter().map(|case| ids(&case["prompt"])).collect();
        let mut found = vec![Vec::new(); cases.len()];
        for _ in 0..11 {
            let parts: Vec<(usize, &[u32])> = given.iter().map(Vec::as_slice).enumerate().collect();
            let next = cache.extend(model, at.as_ref(), &parts, false).unwrap();
            given = next.iter().map(|next| vec![next.token]).collect();
            found.iter_mut().zip(next).for_each(|(found, next)| found.push(next.token));
        }
        for (case, found) in cases.iter().zip(&found) {
            // Logits agree to some 1e-5; a lead that is smaller decides nothing.
            assert!(case["lead"].as_f64().unwrap() > 1e-4, "{name}: choose other prompts");
            assert_eq!(*found, ids(&case["new"]), "{name}");
        }
    }
}
