//! A linear model on lifted features of two-class data: the trace along gradient, sharpness-aware and two-point descent.

mod checks;
mod course;
mod source;

use polder_optim::objectives::LinearLoss;

use super::experiment::{Experiment, Progress, Request};
use super::outcome::Outcome;
use crate::error::Result;
use crate::figure::{Figure, Panel, Series};
use course::{Method, Setting};
use source::Source;

pub(super) const SVM: Experiment = Experiment {
    name: "svm",
    about: "two-point descent lowers the Hessian's trace of a squared-hinge SVM with λ, far below the edge of stability",
    source: "Zhang et al., arXiv 2506.05454, Figures 2 and 5",
    seconds: (3.0, 60.0),
    run: svm,
};

pub(super) const LOGISTIC: Experiment = Experiment {
    name: "logistic",
    about: "two-point descent on logistic regression: at the paper's rate the trace stops at 2/η, at a smaller one it follows λ",
    source: "Zhang et al., arXiv 2506.05454, Figures 2 and 5",
    seconds: (3.0, 90.0),
    run: logistic,
};

/// Iterations of the paper.
const STEPS: u64 = 10_000;
/// The radius ρ of sharpness-aware minimisation.
const RADIUS: f64 = 0.05;
/// Random features of the paper.
const WIDTH: usize = 10_000;

fn svm(request: &Request, heard: &mut dyn FnMut(&Progress)) -> Result<Outcome> {
    let settings = [
        Setting { method: Method::Gradient, lr: 1e-4 },
        Setting { method: Method::Sam, lr: 1e-4 },
        Setting { method: Method::TwoPoint { lambda: 0.05 }, lr: 1e-4 },
        Setting { method: Method::TwoPoint { lambda: 0.02 }, lr: 1e-4 },
        Setting { method: Method::TwoPoint { lambda: 0.005 }, lr: 1e-4 },
    ];
    let mut found = all(LinearLoss::SquaredHinge, &settings, request, heard)?;
    found.differs.extend(SVM_DIFFERS.map(str::to_owned));
    Ok(found)
}

fn logistic(request: &Request, heard: &mut dyn FnMut(&Progress)) -> Result<Outcome> {
    let settings = [
        Setting { method: Method::Gradient, lr: 0.01 },
        Setting { method: Method::Sam, lr: 0.01 },
        Setting { method: Method::TwoPoint { lambda: 0.1 }, lr: 0.01 },
        Setting { method: Method::TwoPoint { lambda: 0.01 }, lr: 0.01 },
        Setting { method: Method::TwoPoint { lambda: 0.1 }, lr: 1e-3 },
        Setting { method: Method::TwoPoint { lambda: 0.01 }, lr: 1e-3 },
    ];
    let mut found = all(LinearLoss::Logistic, &settings, request, heard)?;
    found.differs.extend(LOGISTIC_DIFFERS.map(str::to_owned));
    Ok(found)
}

/// All courses of a loss, with checks and figure.
fn all(loss: LinearLoss, settings: &[Setting], request: &Request, heard: &mut dyn FnMut(&Progress)) -> Result<Outcome> {
    request.takes(&["--data"])?;
    let source = Source::of(request)?;
    let models = source.models(WIDTH, loss)?;
    // With data of one's own the short form is a shorter course; the stand-in has few rows instead.
    let steps = if request.short && request.data.is_some() { STEPS / 10 } else { STEPS };
    let mut found = Outcome::default();
    for setting in settings {
        let table = setting.course(&models, (steps, request.seed), heard)?;
        found.evaluations += setting.evaluations() * steps;
        found.data.push(table);
    }
    found.checks = match (loss, source.a5a && !request.short) {
        (LinearLoss::SquaredHinge, true) => checks::svm_a5a(&found),
        (LinearLoss::Logistic, true) => checks::logistic_a5a(&found),
        (LinearLoss::SquaredHinge, false) => checks::svm_other(&found, steps == STEPS),
        (LinearLoss::Logistic, false) => checks::logistic_other(&found, steps == STEPS),
    };
    found.figures.push(("courses".to_owned(), figure(&found, settings)));
    found.set("data", &source.about);
    found.set("random features", format!("{WIDTH}, run in the {} coordinates that they span", models.start.len()));
    found.set("iterations", steps);
    found.set("radius ρ of SAM", RADIUS);
    found.differs.extend(source.differs);
    Ok(found)
}

fn figure(found: &Outcome, settings: &[Setting]) -> Figure {
    let lines = |column| {
        settings.iter().map(move |setting| Series::line(setting.title(), found.points(&setting.name(), "step", column)))
    };
    let panel = |title: &str, y: &str, column| Panel::new(title).axes("iteration", y).with_all(lines(column));
    Figure::grid(
        3,
        [
            panel("Training loss", "loss", "loss").log_y(),
            panel("Trace of the Hessian", "trace", "trace").log_y(),
            panel("Test accuracy", "share", "test_accuracy"),
        ],
    )
}

const SVM_DIFFERS: [&str; 3] = [
    "The learning rates of the paper's gradient descent and SAM for this figure are unknown; they run at the rate of \
     two-point descent here, so gradient descent need not end where the figure's does (1.17e4).",
    "The random features are drawn by polder's generator, not by numpy's with seed 29: the same law, other numbers.",
    "All runs are made in the coordinates that the features span. Logits, traces and gradient methods are exactly those of \
     10,001 coordinates, and two-point descent has the same law.",
];

const LOGISTIC_DIFFERS: [&str; 4] = [
    "Figure 2's logistic panel does not show the λ² penalty but the edge of stability: at η = 0.01 the trace stops near \
     2/η = 200 for λ = 0.1 and λ = 0.01 alike. At η = 0.001 (edge 2,000) it follows λ.",
    "\"Comparable loss\" does not hold in that panel: about 0.33 for gradient descent against 1.2 for two-point descent.",
    "The trace starts lower than in the figure (about 330 against 425), while the first loss agrees.",
    "The random features are drawn by polder's generator, and all runs are made in the coordinates that they span: the same \
     law, other numbers.",
];
