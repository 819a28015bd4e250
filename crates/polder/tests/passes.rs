//! A loss has the same bits however its passes are laid out.

mod fixture;

use fixture::Place;
use polder::batching::{BatchSize, Batching};
use polder::config::Config;
use polder::engine::Engine;
use polder::model::Model;
use polder::objective::{PassLayout, PromptLoss};
use polder::packing::Common;
use polder::plan::Plan;
use polder::scoring::{PassSize, score};
use polder_optim::{Batch, Losses, Objective};
use polder_perturb::{Arithmetic, Law, Seed, Shift};
use polder_tasks::{EncodedExample, EncodedOption};

/// The plan and the model of a tiny run, by task.
fn prepared(place: &Place, task: &str, data: &str, dtype: &str) -> (Plan, Model) {
    prompted(place, task, data, dtype, &[])
}

/// The same with further settings.
fn prompted(place: &Place, task: &str, data: &str, dtype: &str, more: &[&str]) -> (Plan, Model) {
    let config = place.config("passes.toml", "", &fixture::tables(dtype, "1e-3"));
    let mut sets = vec![format!("task.name={task}"), format!("task.data={}", fixture::str(&place.path(data)))];
    sets.extend(more.iter().map(|set| (*set).to_owned()));
    let plan = Plan::new(Config::load(&config, &sets).unwrap()).unwrap();
    let model = Model::load(&plan.config.model.path, plan.config.model.dtype, &candle_core::Device::Cpu).unwrap();
    (plan, model)
}

fn points() -> Vec<Shift> {
    let pair = |seed| [Shift::along(Seed(seed), 1e-2), Shift::along(Seed(seed), -1e-2)];
    [pair(5), pair(6)].concat()
}

/// The bits of all losses.
fn bits(losses: &Losses) -> Vec<Vec<u64>> {
    losses.points.iter().map(|row| row.iter().map(|l| l.to_bits()).collect()).collect()
}

fn losses(engine: &Engine<'_>, plan: &Plan, size: BatchSize, micro_batch: Option<usize>, together: usize) -> Losses {
    let data = &plan.data;
    let batching = Batching::new(data.train.len(), size, 3);
    let layout = PassLayout { micro_batch, points: together };
    PromptLoss::new(engine, &data.train, data.kind, batching, Law::Gaussian, layout)
        .losses(Batch(2), &points())
        .unwrap()
}

#[test]
fn neither_micro_batches_nor_pairing_change_a_loss() {
    for (task, data) in [("sst2", "data"), ("copa", "copa")] {
        for (place, dtype) in [(Place::llama(), "f32"), (Place::opt(), "bf16"), (Place::llama(), "f16")] {
            let (plan, model) = prepared(&place, task, data, dtype);
            let engine = model.engine();
            let whole = losses(&engine, &plan, BatchSize::Examples(16), None, 2);
            let rounded = model.engine().in_arithmetic(Arithmetic::Bf16);
            let in_bf16 = losses(&rounded, &plan, BatchSize::Examples(16), None, 2);
            assert_ne!(bits(&whole), bits(&in_bf16));
            assert_eq!((whole.points.len(), whole.points[0].len(), whole.weights.len()), (4, 16, 16));
            assert!(whole.points.iter().flatten().all(|l| l.is_finite() && *l > 0.0));
            assert_ne!(bits(&whole)[0], bits(&whole)[1], "the points are different ones");
            for (micro_batch, together) in [(Some(1), 2), (Some(3), 4), (Some(16), 1), (Some(1), 1), (None, 4)] {
                let other = losses(&engine, &plan, BatchSize::Examples(16), micro_batch, together);
                assert_eq!(bits(&whole), bits(&other), "{task} {dtype} {micro_batch:?} {together}");
                assert_eq!(whole.weights, other.weights);
                let other = losses(&rounded, &plan, BatchSize::Examples(16), micro_batch, together);
                assert_eq!(bits(&in_bf16), bits(&other), "{task} {dtype} {micro_batch:?} {together} in bf16");
            }
        }
    }
}

#[test]
fn a_full_batch_holds_the_losses_of_its_parts() {
    let place = Place::llama();
    let (plan, model) = prepared(&place, "copa", "copa", "f32");
    let engine = model.engine();
    let full = losses(&engine, &plan, BatchSize::Full, None, 2);
    let part = losses(&engine, &plan, BatchSize::Examples(5), None, 2);
    let rows = Batching::new(plan.data.train.len(), BatchSize::Examples(5), 3).rows(Batch(2));
    for (point, all) in part.points.iter().zip(&full.points) {
        let expected: Vec<u64> = rows.iter().map(|row| all[*row].to_bits()).collect();
        assert_eq!(point.iter().map(|l| l.to_bits()).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn shared_prompts_and_packing_change_no_score() {
    for (task, data) in [("sst2", "data"), ("copa", "copa")] {
        for (place, dtype) in [(Place::llama(), "bf16"), (Place::opt(), "f32")] {
            let (plan, model) = prepared(&place, task, data, dtype);
            let engine = model.engine();
            let examples = &plan.data.eval;
            let scores = |examples: &[EncodedExample], rows| {
                score(&engine, examples, PassSize::Rows(rows), &mut |_| Ok(())).unwrap()
            };
            let packed = scores(examples, 2048);
            for rows in [1, 40, 300] {
                assert_eq!(packed, scores(examples, rows), "{task} {dtype} {rows}");
            }
            // Every option as an example of its own, each in a pass of its own, shares nothing and is run whole.
            let alone: Vec<EncodedExample> = examples.iter().flat_map(|e| e.options.iter().map(single)).collect();
            let flat: Vec<_> = packed.iter().flatten().copied().collect();
            let separate: Vec<_> = scores(&alone, 1).into_iter().flatten().collect();
            assert_eq!(flat, separate, "{task} {dtype}");
        }
    }
}

#[test]
fn what_all_prompts_begin_with_is_run_once_and_changes_nothing() {
    let prompt =
        "task.prompt=great terrible great terrible great terrible great terrible great {{ sentence | trim }} It was";
    for (place, dtype) in [(Place::llama(), "bf16"), (Place::opt(), "f32")] {
        let (plan, model) = prompted(&place, "sst2", "data", dtype, &[prompt]);
        let engine = model.engine();
        let (examples, common) = (&plan.data.eval, Common::of(&plan.data.eval));
        assert!(common.ids().len() >= 8, "{:?}", common.ids());
        let tokens = |f: &dyn Fn()| {
            let before = engine.counts().tokens;
            f();
            (engine.counts().tokens - before) as usize
        };
        let all = std::cell::RefCell::new(Vec::new());
        let spent =
            tokens(&|| *all.borrow_mut() = score(&engine, examples, PassSize::Examples(5), &mut |_| Ok(())).unwrap());
        let one_by_one = std::cell::RefCell::new(Vec::new());
        let alone = tokens(&|| {
            for example in examples {
                one_by_one.borrow_mut().extend(
                    score(&engine, std::slice::from_ref(example), PassSize::default(), &mut |_| Ok(())).unwrap(),
                );
            }
        });
        assert_eq!(all, one_by_one);
        // At least: what some of them share beyond it is run once a pass as well.
        assert!(alone - spent >= (examples.len() - 1) * common.ids().len(), "{alone} {spent}");

        let whole = losses(&engine, &plan, BatchSize::Examples(16), None, 2);
        for (micro_batch, together) in [(Some(1), 2), (Some(5), 4), (None, 1)] {
            let other = losses(&engine, &plan, BatchSize::Examples(16), micro_batch, together);
            assert_eq!(bits(&whole), bits(&other), "{dtype} {micro_batch:?} {together}");
        }
    }
}

#[test]
fn examples_that_were_cut_leave_the_others_their_common_beginning() {
    let prompt =
        "task.prompt=great terrible great terrible great terrible great terrible great {{ sentence | trim }} It was";
    let place = Place::llama();
    let (plan, model) = prompted(&place, "sst2", "data", "f32", &[prompt]);
    let engine = model.engine();
    let common = Common::of(&plan.data.eval).ids().len();
    let mut examples = plan.data.eval.clone();
    let count = examples.len();
    // Two of them as if they had been too long.
    for at in [1, count - 1] {
        examples[at].options.iter_mut().for_each(|option| drop(option.ids.drain(..2)));
    }
    assert!(Common::of(&examples).ids().is_empty());
    let cost = |examples: &[EncodedExample]| {
        let before = engine.counts().tokens;
        let mut seen = Vec::new();
        let scores = polder::scoring::score_passes(&engine, examples, PassSize::Rows(90), &mut |pass| {
            seen.extend_from_slice(pass.examples);
            assert_eq!(pass.done, seen.len());
            assert!(seen.iter().all(|i| !pass.scores[*i].is_empty()));
            Ok(())
        });
        seen.sort_unstable();
        assert_eq!(seen, (0..examples.len()).collect::<Vec<_>>());
        (scores.unwrap(), (engine.counts().tokens - before) as usize)
    };
    let (together, tokens) = cost(&examples);
    let (mut alone, mut sum) = (Vec::new(), 0);
    for example in &examples {
        let (scores, tokens) = cost(std::slice::from_ref(example));
        alone.extend(scores);
        sum += tokens;
    }
    assert_eq!(together, alone);
    // The two begin alike too, though without the two tokens; and what some share beyond that is run once a pass.
    assert!(sum - tokens >= (count - 3) * common + common - 2, "{sum} {tokens}");
}

fn single(option: &EncodedOption) -> EncodedExample {
    EncodedExample { idx: "0".to_owned(), options: vec![option.clone()], gold: Some(0), ..EncodedExample::default() }
}
