//! ZO-GD with Polyak's momentum.

use super::super::experiment::{Experiment, Progress, Request};
use super::super::outcome::Outcome;
use super::course::{Course, Method};
use super::picture;
use super::problem::Problem;
use super::study::{at_the_edge, make, settings, two_sides};
use crate::error::Result;

pub(in crate::reproduce) const EXPERIMENT: Experiment = Experiment {
    name: "edge-momentum",
    about: "with Polyak's momentum the trace meets 2(1 − β)/η: momentum makes the edge lower, not higher",
    source: "Song et al., arXiv 2604.14669, Figure 2 and Theorem 2",
    seconds: (3.0, 75.0),
    run,
};

/// β with η: both have their edge at 400.
const RUNS: [(f64, f64); 2] = [(0.5, 0.0025), (0.9, 0.0005)];
/// η of the short form, over those: edges at 333 and 667, below and above the trace at its sharp start.
const SIDES: [f64; 2] = [1.2, 0.6];

fn run(request: &Request, heard: &mut dyn FnMut(&Progress)) -> Result<Outcome> {
    request.takes(&[])?;
    let problem = Problem::mlp(request.seed)?;
    let mut found = Outcome::default();
    let momentum = |beta, lr, steps, readings| Course::new(Method::Momentum { beta }, lr, steps, readings);
    let tracks = if request.short {
        let side = |share, (beta, lr)| Course { mark: "sharp start", ..momentum(beta, share * lr, 2_000, 4) };
        let courses = RUNS.iter().flat_map(|run| SIDES.map(|share| side(share, *run))).collect();
        let tracks = make(&problem, &problem.sharp(450)?, courses, (request.seed, heard), &mut found)?;
        for pair in tracks.chunks_exact(2) {
            found.checks.extend(two_sides(&pair[0], &pair[1])?);
        }
        tracks
    } else {
        let courses = RUNS.map(|(beta, lr)| momentum(beta, lr, 120_000, 60)).to_vec();
        let tracks = make(&problem, &problem.start, courses, (request.seed, heard), &mut found)?;
        let check = |track| at_the_edge(track, 60_000, "1, from slightly below (Figure 2)");
        found.checks.extend(tracks.iter().map(check));
        tracks
    };
    found.figures.push(("edge-momentum".to_owned(), picture::runs("Polyak's momentum", &tracks)?));
    settings(&problem, &mut found);
    Ok(found)
}
