//! Several directions a step.

use super::super::experiment::{Experiment, Progress, Request};
use super::super::outcome::Outcome;
use super::course::{Course, Method};
use super::picture;
use super::problem::Problem;
use super::study::{at_the_edge, make, settings, two_sides};
use crate::error::Result;

pub(in crate::reproduce) const EXPERIMENT: Experiment = Experiment {
    name: "edge-queries",
    about: "with q = 4 directions a step the trace meets 2q/η",
    source: "our extension of Song et al., arXiv 2604.14669, Theorem 1, to an average over directions",
    seconds: (3.0, 60.0),
    run,
};

fn run(request: &Request, heard: &mut dyn FnMut(&Progress)) -> Result<Outcome> {
    request.takes(&[])?;
    let problem = Problem::mlp(request.seed)?;
    let mut found = Outcome::default();
    let four = |lr, steps, readings| Course { queries: 4, ..Course::new(Method::Descent, lr, steps, readings) };
    let tracks = if request.short {
        let side = |lr| Course { mark: "sharp start", ..four(lr, 750, 3) };
        let courses = vec![side(0.024), side(0.012)];
        let tracks = make(&problem, &problem.sharp(450)?, courses, (request.seed, heard), &mut found)?;
        found.checks.extend(two_sides(&tracks[0], &tracks[1])?);
        tracks
    } else {
        let courses = vec![four(0.02, 60_000, 60)];
        let tracks = make(&problem, &problem.start, courses, (request.seed, heard), &mut found)?;
        // The theory has it between 1 − (q + 1)λ_max/Tr, about 0.93 here, and 1.
        found.checks.push(at_the_edge(&tracks[0], 20_000, "1, from slightly below (2q/η, derived)"));
        tracks
    };
    found.figures.push(("edge-queries".to_owned(), picture::runs("Four directions a step", &tracks)?));
    found.differs.push(
        "The paper takes one direction a step. With one direction this step size would have its edge at 100 and diverge (see \
         `edge`)."
            .to_owned(),
    );
    settings(&problem, &mut found);
    Ok(found)
}
