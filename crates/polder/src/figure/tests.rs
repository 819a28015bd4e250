//! Figures as a reader would see them: parsed, measured and painted.

use resvg::usvg::{Node, Rect, Tree};

use super::span::{Scale, Span};
use super::ticks::{Ticks, grouped};
use super::*;

fn labels(ticks: &Ticks) -> Vec<String> {
    ticks.major.iter().map(|(_, label)| format!("{}^{}", label.text, label.raised)).collect()
}

fn tree(figure: &Figure) -> Tree {
    png::tree(&figure.drawn(Ground::Pixels)).unwrap()
}

/// The boxes of all texts, with the texts.
fn texts(tree: &Tree) -> Vec<(String, Rect)> {
    fn walk(nodes: &[Node], out: &mut Vec<(String, Rect)>) {
        for node in nodes {
            match node {
                Node::Group(group) => walk(group.children(), out),
                Node::Text(text) => {
                    let said: String = text.chunks().iter().map(|chunk| chunk.text()).collect();
                    out.push((said, text.abs_bounding_box()));
                }
                _ => {}
            }
        }
    }
    let mut out = Vec::new();
    walk(tree.root().children(), &mut out);
    out
}

/// How many pixels of a picture have that colour, or nearly, in a part of it given in shares of its size.
fn painted(figure: &Figure, colour: [u8; 3], across: (f64, f64), down: (f64, f64)) -> usize {
    let pixels = png::pixels(&figure.drawn(Ground::Pixels), 800).unwrap();
    let (width, height) = (pixels.width(), pixels.height());
    let inside = |at: u32, length: u32, (from, to): (f64, f64)| {
        let share = f64::from(at) / f64::from(length);
        share >= from && share < to
    };
    let mut found = 0;
    for y in (0..height).filter(|y| inside(*y, height, down)) {
        for x in (0..width).filter(|x| inside(*x, width, across)) {
            let pixel = pixels.pixel(x, y).unwrap();
            let near = |have: u8, want: u8| have.abs_diff(want) < 12;
            found += usize::from(
                near(pixel.red(), colour[0]) && near(pixel.green(), colour[1]) && near(pixel.blue(), colour[2]),
            );
        }
    }
    found
}

const BLUE: [u8; 3] = [0x00, 0x72, 0xb2];

#[test]
fn linear_ticks_are_round_and_inside() {
    let ticks = |low, high| Ticks::of(&Span { low, high, scale: Scale::Linear }, 5);
    assert_eq!(labels(&ticks(0.13, 0.91)), ["0.2^", "0.4^", "0.6^", "0.8^"]);
    assert_eq!(labels(&ticks(0.0, 20_000.0)), ["0^", "5,000^", "10,000^", "15,000^", "20,000^"]);
    assert_eq!(labels(&ticks(-1.0, 1.0)), ["−1.0^", "−0.5^", "0.0^", "0.5^", "1.0^"]);
    let small = ticks(0.0, 2.1e-5);
    assert_eq!(labels(&small), ["0.0^", "0.5^", "1.0^", "1.5^", "2.0^"]);
    assert_eq!(small.factor.unwrap().raised, "−5");
    assert_eq!((grouped(-0.001, 2), grouped(1_234_567.0, 1)), ("0.00".to_owned(), "1,234,567.0".to_owned()));
    for (low, high) in [(1e-300, 2e-300), (-1e300, 1e300), (1e15, 1e15 + 8.0), (0.999_999, 1.000_001), (3.0, 1e9)] {
        let found = ticks(low, high);
        assert!((2..=12).contains(&found.major.len()), "{low} to {high}: {found:?}");
        assert!(found.major.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 != w[1].1), "{low} to {high}: {found:?}");
        assert!(found.major.iter().all(|(v, _)| *v >= low - 1e-9 * (high - low) && *v <= high + 1e-9 * (high - low)));
    }
}

#[test]
fn log_ticks_are_powers_of_ten_and_finer_where_these_are_few() {
    let ticks = |low: f64, high: f64| {
        let span = Span { low: low.log10(), high: high.log10(), scale: Scale::Log };
        Ticks::of(&span, 6)
    };
    assert_eq!(labels(&ticks(0.008, 120.0)), ["0.01^", "0.1^", "1^", "10^", "100^"]);
    assert_eq!(labels(&ticks(1e-7, 3e-4)), ["10^−7", "10^−6", "10^−5", "10^−4"]);
    assert_eq!(labels(&ticks(0.15, 1.2)), ["0.2^", "0.5^", "1^"]);
    assert_eq!(labels(&ticks(2.0e-7, 9.0e-7)), ["2·10^−7", "5·10^−7"]);
    assert!((2..=7).contains(&ticks(1e-30, 1e30).major.len()));
    let within_a_decade = ticks(3.1, 3.9);
    assert!(within_a_decade.major.len() >= 2, "{within_a_decade:?}");
    assert!(ticks(0.008, 120.0).minor.contains(&20.0) && ticks(1e-30, 1e30).minor.is_empty());
}

#[test]
fn thinning_keeps_extremes_and_shortens() {
    let wave = |i: i32| if i == 54_321 { 90.0 } else { 50.0 + f64::from(i % 7) };
    let places: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i) / 200.0, wave(i))).collect();
    let lowest = |places: &[(f64, f64)]| places.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    for thinned in [thin::line(&places), thin::dots(&places, 6)] {
        assert!(thinned.len() <= 500 * 9, "{}", thinned.len());
        assert!(thinned.contains(&places[54_321]), "the spike stays");
        assert_eq!(lowest(&thinned), 50.0);
        assert!(thinned.windows(2).all(|w| w[0].0 <= w[1].0));
    }
    assert_eq!(thin::line(&places).last(), places.last());
    let band: Vec<(f64, f64, f64)> = places.iter().map(|(x, y)| (*x, y - 1.0, *y)).collect();
    let thinned = thin::band(&band);
    assert!(thinned.len() == 500 && thinned.iter().any(|(x, low, high)| *x == 271.0 && (*low, *high) == (49.0, 90.0)));
    let gaps = thin::pieces([None, Some(1), Some(2), None, None, Some(3), None].into_iter());
    assert_eq!(gaps, [vec![1, 2], vec![3]]);
}

/// Series that have been seen to spoil pictures.
fn odd() -> Vec<(&'static str, Vec<(f64, f64)>)> {
    vec![
        ("empty", vec![]),
        ("one point", vec![(3.0, 4.0)]),
        ("constant", vec![(0.0, 2.0), (1.0, 2.0), (2.0, 2.0)]),
        ("zeros", vec![(0.0, 0.0), (0.0, 0.0)]),
        ("gaps", vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, f64::INFINITY), (3.0, 1.5), (f64::NAN, 1.0), (4.0, 1.0)]),
        ("nothing finite", vec![(f64::NAN, f64::NAN), (0.0, f64::NEG_INFINITY)]),
        ("huge", vec![(0.0, -1.7e308), (1.0, 1.7e308), (2.0, 1e299), (3.0, -1e299)]),
        ("tiny", vec![(0.0, 5e-324), (1.0, 1e-310)]),
        ("nearly constant", vec![(0.0, 1e9), (1.0, 1e9 + 1e-6)]),
        ("not positive", vec![(-1.0, -1.0), (0.0, 0.0), (1.0, 1.0)]),
    ]
}

#[test]
fn odd_series_give_valid_pictures() {
    for (name, points) in odd() {
        let bands = points.iter().map(|(x, y)| (*x, y - 0.5, *y));
        let series = [
            Series::band("<band> & \u{1} \"quoted\"", bands),
            Series::line(name, points.clone()),
            Series::dashed("dashed", points.clone()),
            Series::dots("dots", points.clone()),
            Series::level("level", 1.0),
            Series::level("no level", f64::NAN),
        ];
        let plain = Panel::new("<odd> & 'more'").axes("x", "y").with_all(series);
        for panel in [plain.clone(), plain.clone().log_y(), plain.clone().log_x().log_y(), plain.y_range(0.0, 1.0)] {
            let figure = Figure::grid(2, [panel.clone(), panel]);
            for svg in [figure.svg(), figure.drawn(Ground::Pixels)] {
                png::tree(&svg).unwrap_or_else(|error| panic!("{name}: {error}\n{svg}"));
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}: {svg}");
            }
            let framed = figure.inline_svg().replacen("<svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"", 1);
            png::tree(&framed).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    let said = |points: Vec<(f64, f64)>| Figure::of(Panel::new("t").with(Series::line("a", points))).svg();
    assert!(said(vec![]).contains("no data") && said(vec![(f64::NAN, 1.0)]).contains("no data"));
    assert!(!said(vec![(1.0, 1.0)]).contains("no data"));
    png::tree(&Figure::grid(3, []).svg()).unwrap();
}

#[test]
fn a_gap_breaks_the_line() {
    let line = |middle: f64| {
        let points = (0..=10).map(|i| (f64::from(i), if (4..=6).contains(&i) { middle } else { 1.0 }));
        Figure::of(Panel::new("").with(Series::line("", points)).with(Series::dots("", [(0.0, 0.0), (0.0, 2.0)])))
    };
    let middle = ((0.45, 0.58), (0.3, 0.7));
    assert!(painted(&line(1.0), BLUE, middle.0, middle.1) > 100);
    assert_eq!(painted(&line(f64::NAN), BLUE, middle.0, middle.1), 0);
}

#[test]
fn pixels_show_the_curve_where_it_is() {
    // Rises from the lower left to the upper right corner.
    let figure = Figure::of(
        Panel::new("rises from the left to the right")
            .with(Series::line("", (0..100).map(|i| (f64::from(i), f64::from(i))))),
    );
    let at = |across, down| painted(&figure, BLUE, across, down);
    assert!(at((0.0, 0.5), (0.5, 1.0)) > 300 && at((0.5, 1.0), (0.0, 0.5)) > 300);
    assert_eq!((at((0.0, 0.4), (0.0, 0.4)), at((0.6, 1.0), (0.6, 1.0))), (0, 0));
    let bytes = figure.png(321).unwrap();
    let decoded = resvg::tiny_skia::Pixmap::decode_png(&bytes).unwrap();
    assert_eq!(decoded.width(), 321);
    assert!(figure.png(0).is_err() && figure.png(1_000_000).is_err());
    // Text is painted as well: the title is the only thing that stands above the frame.
    let dark = |figure: &Figure| painted(figure, [0x22; 3], (0.0, 0.4), (0.0, 0.1));
    assert!(dark(&figure) > 20, "{}", dark(&figure));
    assert_eq!(dark(&Figure::of(Panel::new("").with(Series::level("", 1.0)))), 0);
}

#[test]
fn a_spike_among_many_points_is_painted() {
    let spike = |i: i32| if i == 50_000 { 1.0 } else { 0.0 };
    let series = |high: bool| (0..100_000).map(move |i| (f64::from(i), if high { spike(i) } else { 0.0 }));
    let figure = |high| Figure::of(Panel::new("").y_range(-0.1, 1.1).with(Series::line("", series(high))));
    let upper = ((0.4, 0.7), (0.1, 0.6));
    assert!(painted(&figure(true), BLUE, upper.0, upper.1) > 50);
    assert_eq!(painted(&figure(false), BLUE, upper.0, upper.1), 0);
    assert!(figure(true).svg().len() < 60_000, "{}", figure(true).svg().len());
}

/// A panel with so many named series.
fn crowded(count: usize, name: &str) -> Panel {
    let wave = |phase: usize| (0..200).map(move |i| (f64::from(i) * 1e4, 3e-6 * (phase as f64 + f64::from(i) / 50.0)));
    Panel::new("Loss on the training rows, smoothed over the steps near by")
        .axes("forward passes of a whole batch", "projected gradient (nats a unit of λ)")
        .with_all((0..count).map(|number| Series::line(format!("{name} {number}"), wave(number))))
}

#[test]
fn legends_and_labels_stay_inside_and_apart() {
    let names = [
        "run",
        "sst2-smollm2-135m-zest-seed",
        "a name that is far longer than any panel could ever be, again and \
                 again, and then once more to be quite sure of it",
    ];
    for (count, name) in (0..=6).flat_map(|count| names.map(|name| (count, name))) {
        let panels = [crowded(count, name), crowded(count, name).log_y(), crowded(count.max(1), name).log_x()];
        for figure in
            [Figure::of(panels[0].clone()), Figure::grid(3, panels.clone()).titled("All"), Figure::grid(2, panels)]
        {
            let tree = tree(&figure);
            let (width, height) = (tree.size().width(), tree.size().height());
            let texts = texts(&tree);
            assert!(texts.len() >= 3 + count, "{count} of {name}: {texts:?}");
            for (text, found) in &texts {
                let inside =
                    found.left() >= 0.0 && found.top() >= 0.0 && found.right() <= width && found.bottom() <= height;
                assert!(inside, "`{text}` of {count} {name} at {found:?} leaves {width} by {height}");
            }
            for (at, (text, a)) in texts.iter().enumerate() {
                for (other, b) in &texts[at + 1..] {
                    let across = a.right().min(b.right()) - a.left().max(b.left());
                    let down = a.bottom().min(b.bottom()) - a.top().max(b.top());
                    // Boxes hold a line's whole height, of which digits and most letters fill less.
                    assert!(across < 1.0 || down < 4.0, "{count} {name}: `{text}` at {a:?} lies on `{other}` at {b:?}");
                }
            }
        }
    }
}

#[test]
fn the_legend_names_every_series_above_the_plot() {
    let panel = crowded(6, "name");
    let (room, figure) = (Room::of(&panel, 640.0, 240.0), Figure::of(panel));
    let top = Ground::Pixels.margin() + room.above;
    let texts = texts(&tree(&figure));
    for number in 0..6 {
        let (_, found) = texts.iter().find(|(text, _)| *text == format!("name {number}")).unwrap();
        assert!(f64::from(found.bottom()) <= top, "{number}: {found:?}, the plot begins at {top}");
    }
}

#[test]
fn widths_are_estimated_from_above() {
    for said in
        ["loss (nats)", "WWWW mmmm", "projected gradient", "1,234,567.89", "−0.5 × 10", "λ θ ε Ω", "illicit fjord"]
    {
        let panel = Panel::new("").axes(said, "");
        let tree = tree(&Figure::of(panel.with(Series::line("", [(0.0, 0.0)]))));
        let (_, found) = texts(&tree).into_iter().find(|(text, _)| text == said).unwrap();
        let estimate = text::width(said, write::SMALL);
        let real = f64::from(found.width());
        assert!(estimate >= real && estimate < 1.8 * real, "{said}: {estimate} for {real}");
        assert!(real > 20.0, "{said} is painted with the font that is there: {real}");
    }
}

#[test]
fn a_heat_map_shows_its_values_and_its_bar() {
    let axis: Vec<f64> = (-10..=10).map(|i| f64::from(i) / 10.0).collect();
    let bowl = |x: f64, y: f64| 0.3 + x * x + y * y;
    let mut values: Vec<f64> = axis.iter().flat_map(|y| axis.iter().map(move |x| bowl(*x, *y))).collect();
    values[0] = f64::NAN;
    let heat = |values: Vec<f64>| Heat::new("loss (nats)", axis.clone(), axis.clone(), values);
    let figure = |heat: Heat| Figure::of(Panel::new("slice").axes("along u", "along v").heat(heat));
    let bowl = figure(heat(values.clone()));
    // Dark in the middle, bright at a corner that is there, grey at the one that is not.
    assert!(painted(&bowl, [68, 1, 84], (0.4, 0.55), (0.4, 0.6)) > 50);
    assert!(painted(&bowl, [253, 231, 37], (0.7, 0.9), (0.05, 0.25)) > 50);
    assert!(painted(&bowl, [0x99; 3], (0.05, 0.2), (0.75, 0.95)) > 50);
    assert_eq!(painted(&bowl, [0xff; 3], (0.2, 0.75), (0.3, 0.7)), 0, "no gap between cells");
    assert!(bowl.svg().contains("loss (nats)"));
    for odd in [vec![], vec![f64::NAN; 441], vec![1.0; 441], vec![-1.0; 3]] {
        png::tree(&figure(heat(odd.clone()).log()).svg()).unwrap();
        png::tree(&figure(heat(odd)).svg()).unwrap();
    }
    let unsorted = Heat::new("v", vec![1.0, 0.0], vec![0.0], vec![1.0, 2.0]);
    assert!(figure(unsorted).svg().contains("no data"));
    let one = Heat::new("v", vec![1.0], vec![0.0], vec![1.0]);
    assert!(!figure(one).svg().contains("no data"));
}

#[test]
fn pages_bring_their_own_colours() {
    let figure = Figure::of(Panel::new("t").with(Series::line("a", [(0.0, 0.0), (1.0, 1.0)])));
    let inline = figure.inline_svg();
    assert!(inline.contains("currentColor") && inline.contains("var(--figure-0, #0072b2)"));
    assert!(!inline.contains("#ffffff") && !inline.contains("font-family"));
    assert!(page_css().contains("--figure-0:#0072b2") && page_css().contains("prefers-color-scheme:dark"));
    assert!(figure.svg().contains("fill=\"#ffffff\"") && !figure.svg().contains("var("));
}
