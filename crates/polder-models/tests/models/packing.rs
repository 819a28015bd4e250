//! Row invariance as a model sees it: packing, branches, pairs of points and wanted rows change nothing.

use polder_models::Tokens;
use polder_perturb::{Law, Points, Seed, Shift, Span};

use crate::fixture::{Golden, golden, largest_difference, log_probs, reader, variants};

const READERS: [&str; 2] = ["plain f64", "cpu"];
/// Tokens of the prompt after which a branch leaves it early.
const EARLY: usize = 5;

/// The log-probability of each token of `tail` after all that comes before it, from one plain sequence.
fn alone(golden: &Golden, reader_name: &str, points: &Points, head: &[u32], tail: &[u32]) -> Vec<f64> {
    let mut input = Tokens::new();
    input.push(&[head, tail].concat());
    tail.iter().enumerate().for_each(|(i, token)| input.want(head.len() - 1 + i, *token));
    let at = reader(reader_name, &golden.params, points);
    log_probs(golden.model.as_ref(), at.as_ref(), &input)
}

/// A prompt with two branches, between two other sequences, and two more branches that leave the prompt, and the first
/// branch, after their first tokens; wanted: the tokens of all branches.
fn packed(golden: &Golden) -> (Tokens, [Vec<u32>; 3]) {
    let (prompt, first, second) = (&golden.ids[0][..9], &golden.ids[0][9..14], &golden.ids[1][3..6]);
    let mut input = Tokens::new();
    input.push(&golden.ids[1][..7]);
    let prefix = input.push(prompt);
    input.push(&golden.ids[1][7..]);
    let mut branch = |branch: &[u32], prefix: Span| {
        let rows = input.push_branch(branch, prefix);
        let before = std::iter::once(prefix.start + prefix.len - 1).chain(rows.start..);
        before.zip(branch).for_each(|(row, token)| input.want(row, *token));
        rows
    };
    let of_first = branch(first, prefix);
    branch(second, prefix);
    branch(second, Span { len: EARLY, ..prefix });
    branch(second, Span { len: 2, ..of_first });
    (input, [prompt.to_vec(), first.to_vec(), second.to_vec()])
}

/// Equal bits where the reader promises them; else some roundings of f64 (values here are of order 10).
fn check(what: &str, reader_name: &str, found: &[f64], expected: &[f64]) {
    let difference = largest_difference(found, expected);
    let allowed = if reader_name == "cpu" { 0.0 } else { 1e-12 };
    assert!(difference <= allowed, "{what} with {reader_name}: differs by {difference:.2e}");
}

#[test]
fn packed_sequences_and_branches_equal_plain_sequences() {
    let points = Points::new(Law::Gaussian, &[Shift::along(Seed(5), 0.01)]);
    for name in variants() {
        let golden = golden(&name);
        let (input, [prompt, first, second]) = packed(&golden);
        for reader_name in READERS {
            let at = reader(reader_name, &golden.params, &points);
            let found = log_probs(golden.model.as_ref(), at.as_ref(), &input);
            let mut expected = alone(&golden, reader_name, &points, &prompt, &first);
            expected.extend(alone(&golden, reader_name, &points, &prompt, &second));
            expected.extend(alone(&golden, reader_name, &points, &prompt[..EARLY], &second));
            expected.extend(alone(&golden, reader_name, &points, &[&prompt, &first[..2]].concat(), &second));
            check(&name, reader_name, &found, &expected);
        }
    }
}

#[test]
fn what_sequences_begin_with_may_be_run_before_or_beside_them() {
    let points = Points::new(Law::Gaussian, &[Shift::along(Seed(5), 0.01), Shift::along(Seed(5), -0.01)]);
    for name in variants() {
        let golden = golden(&name);
        let model = golden.model.as_ref();
        // A stem of 4 tokens, a prompt of 5 after it, and two branches of the prompt.
        let (stem, prompt) = golden.ids[0][..9].split_at(4);
        let branches = [&golden.ids[0][9..14], &golden.ids[1][3..6]];
        let fill = |input: &mut Tokens, stem: Span| {
            let prefix = input.push_branch(prompt, stem);
            for branch in branches {
                let rows = input.push_branch(branch, prefix);
                let before = std::iter::once(prefix.start + prefix.len - 1).chain(rows.start..);
                before.zip(branch).for_each(|(row, token)| input.want(row, *token));
            }
        };
        let (mut beside, mut before) = (Tokens::new(), Tokens::after(stem.len()));
        let rows = beside.push(stem);
        fill(&mut beside, rows);
        fill(&mut before, Span::default());
        for reader_name in READERS {
            let at = reader(reader_name, &golden.params, &points);
            let expected: Vec<f64> = [0, 1]
                .into_iter()
                .flat_map(|point| branches.map(|branch| (point, branch)))
                .flat_map(|(point, branch)| {
                    let both = alone(&golden, reader_name, &points, &golden.ids[0][..9], branch);
                    both[point * branch.len()..(point + 1) * branch.len()].to_vec()
                })
                .collect();
            check(&name, reader_name, &log_probs(model, at.as_ref(), &beside), &expected);
            let kept = model.stem(at.as_ref(), stem).unwrap();
            let found = model.log_probs_after(at.as_ref(), Some(&kept), &before).unwrap();
            let found = found.to_dtype(candle_core::DType::F64).unwrap().to_vec1::<f64>().unwrap();
            check(&name, reader_name, &found, &expected);
            assert!(model.log_probs(at.as_ref(), &before).is_err(), "a stem that is not there");
            assert!(model.log_probs_after(at.as_ref(), Some(&kept), &beside).is_err(), "one too many");
            let plain = Points::plain();
            let one = model.stem(reader(reader_name, &golden.params, &plain).as_ref(), stem).unwrap();
            assert!(model.log_probs_after(at.as_ref(), Some(&one), &before).is_err(), "at another number of points");
        }
    }
}

#[test]
fn points_read_together_equal_points_read_alone() {
    let (a, b) = (Shift::along(Seed(1), 0.02), Shift::along(Seed(2), -0.03));
    let both = Points::new(Law::Gaussian, &[a.clone(), Shift::none(), b.clone()]);
    for name in variants() {
        let golden = golden(&name);
        let (input, _) = packed(&golden);
        for reader_name in READERS {
            let read = |points: &Points| {
                log_probs(golden.model.as_ref(), reader(reader_name, &golden.params, points).as_ref(), &input)
            };
            let together = read(&both);
            let count = input.wanted.len();
            for (p, shift) in [&a, &Shift::none(), &b].into_iter().enumerate() {
                let one = read(&Points::new(Law::Gaussian, std::slice::from_ref(shift)));
                check(&name, reader_name, &together[p * count..(p + 1) * count], &one);
            }
            assert!(
                largest_difference(&together[..count], &together[count..2 * count]) > 1e-4,
                "{name}: nothing moves"
            );
        }
    }
}

#[test]
fn working_on_wanted_rows_only_equals_working_on_all() {
    let points = Points::plain();
    for name in variants() {
        let golden = golden(&name);
        let (input, _) = packed(&golden);
        for reader_name in READERS {
            let at = reader(reader_name, &golden.params, &points);
            let some = log_probs(golden.model.as_ref(), at.as_ref(), &input);
            let hidden = golden.model.hidden(at.as_ref(), &input).unwrap();
            let pairs: Vec<(u32, u32)> = input.wanted.iter().map(|w| (w.row, w.token)).collect();
            let all = at.log_probs(&hidden, golden.model.head(), &pairs).unwrap();
            let all = all.to_dtype(candle_core::DType::F64).unwrap().to_vec1::<f64>().unwrap();
            check(&name, reader_name, &some, &all);
        }
    }
}
