//! The report as a browser shows it. Needs Chromium: `POLDER_CHROMIUM`, or one on the PATH; skipped where there is none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use resvg::tiny_skia::Pixmap;
use serde_json::{Value, json};

/// A browser, or none, and then it is said.
fn chromium() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("POLDER_CHROMIUM") {
        return Some(named.into());
    }
    let folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = folders.iter().flat_map(|folder| names.map(|name| folder.join(name))).find(|file| file.is_file());
    if found.is_none() {
        println!("skipped: there is no Chromium; name one in POLDER_CHROMIUM");
    }
    found
}

/// What the browser prints, called with these arguments on a page.
fn browse(browser: &Path, page: &Path, dark: bool, width: u32, more: &[String]) -> String {
    let profile = tempfile::tempdir().unwrap();
    let out = profile.path().join("out");
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"])
        .arg(format!("--user-data-dir={}", profile.path().join("profile").display()))
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)))
        .arg(format!("--window-size={width},{HEIGHT}"))
        .args(more)
        .arg(format!("file://{}", page.display()))
        .stdout(fs::File::create(&out).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the browser does not end");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    fs::read_to_string(out).unwrap()
}

/// Higher than the page, so that one picture holds all of it.
const HEIGHT: u32 = 8000;

fn picture(browser: &Path, page: &Path, dark: bool, width: u32) -> Pixmap {
    let shot = page.with_extension(format!("{width}-{}.png", if dark { "dark" } else { "light" }));
    browse(browser, page, dark, width, &[format!("--screenshot={}", shot.display())]);
    let pixels = Pixmap::decode_png(&fs::read(&shot).unwrap()).unwrap();
    assert_eq!((pixels.width(), pixels.height()), (width, HEIGHT));
    pixels
}

/// Where the charts lie and how wide the page is, asked by a script that only this copy of the page has.
fn measured(browser: &Path, page: &Path, width: u32) -> Value {
    let script = "<pre id=\"asked\"></pre><script>document.getElementById('asked').textContent = JSON.stringify({\
                  wide: document.documentElement.scrollWidth, high: document.body.scrollHeight,\
                  charts: [...document.querySelectorAll('figure svg[role=img]')].map(e => e.getBoundingClientRect())})\
                  </script></body>";
    let copy = page.with_extension("asked.html");
    fs::write(&copy, fs::read_to_string(page).unwrap().replace("</body>", script)).unwrap();
    let dom = browse(browser, &copy, false, width, &["--dump-dom".to_owned()]);
    let answer = dom.split("<pre id=\"asked\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    serde_json::from_str(answer.unwrap_or_else(|| panic!("{dom}"))).unwrap()
}

/// The colour at a place, as red, green and blue.
fn at(pixels: &Pixmap, x: u32, y: u32) -> [u8; 3] {
    let pixel = pixels.pixel(x, y).unwrap();
    [pixel.red(), pixel.green(), pixel.blue()]
}

/// How many pixels of a rectangle are of a colour, not of a grey.
fn coloured(pixels: &Pixmap, rect: &Value) -> usize {
    let side = |name: &str| rect[name].as_f64().unwrap() as u32;
    let places = (side("top")..side("bottom")).flat_map(|y| (side("left")..side("right")).map(move |x| (x, y)));
    let vivid = |[r, g, b]: [u8; 3]| r.max(g).max(b) - r.min(g).min(b) > 60;
    places.filter(|(x, y)| vivid(at(pixels, *x, *y))).count()
}

/// A run of 2000 steps as a file has it.
fn run_folder(root: &Path, name: &str, rate: f64) -> PathBuf {
    let run = root.join(name);
    fs::create_dir_all(&run).unwrap();
    let mut lines = String::new();
    let mut noise = 12_345u64;
    let mut next = || {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (noise >> 40) as f64 / f64::from(1 << 24) - 0.5
    };
    let score = |step: u64, split: &str, score: f64| {
        json!({"kind": "evaluated", "step": step, "split": split, "metric": "accuracy", "score": score, "majority": 0.5,
               "interval": [score - 0.04, score + 0.03], "loss": 1.0 - score, "n": 500, "seconds": 3.1,
               "forwards": 8 * step + 32, "best": split == "dev"})
    };
    for step in 0..=2000u64 {
        let share = step as f64 / 2000.0;
        if step > 0 {
            let line = json!({
                "kind": "step", "step": step, "total": 2000, "loss": 0.2 + 0.5 * (-rate * share).exp() + 0.2 * next(),
                "projected": [20.0 * next(), 15.0 * next(), 9.0 * next(), 7.0 * next()], "forwards": 8 * step,
                "tilt": {"t": 2.0 * share, "effective": 4.0 - 2.0 * share + 0.3 * next(), "loss": 0.3 + 0.5 * (-rate * share).exp()},
                "lr": 1e-4 * (1.0 - share), "seconds": 0.05 + 0.01 * next().abs(), "tokens": 4000, "memory": 600u64 << 20,
            });
            lines += &format!("{line}\n");
        }
        if step % 200 == 0 {
            lines += &format!("{}\n", score(step, "dev", 0.9 - 0.4 * (-rate * share).exp() + 0.02 * next()));
            let trace = 900.0 + 400.0 * share + 50.0 * next();
            let line = json!({"kind": "trace", "step": step, "forwards": 8 * step, "trace": trace, "error": 60.0,
                              "edge": 2.0 / (1e-3 * (1.001 - share))});
            lines += &format!("{line}\n");
        }
    }
    lines = format!("{}\n{lines}{}\n", score(0, "validation", 0.5), score(2000, "final", 0.88));
    fs::write(run.join("metrics.jsonl"), lines).unwrap();
    let plan = json!({
        "seed": 0, "steps": 2000, "model": {"path": "/models/a-model-of-a-long-name", "dtype": "bf16"},
        "estimator": {"zest": {"eps": 1e-3, "t": 2.0, "directions": 4}}, "optimizer": {"sgd": {"lr": 1e-4 * rate}},
        "trainable": ["model.layers.*.self_attn.q_proj.weight", "model.layers.*.self_attn.v_proj.weight"],
        "facts": {"polder": "0.1.0", "model": {"model_type": "opt", "parameters": 125_239_296, "trainable": 14_155_776},
                  "data": {"task": "sst2", "path": "/data/sst2", "fingerprint": "ab".repeat(32), "batch": 16},
                  "notes": ["The test split has no labels; the validation split takes its place."]},
    });
    fs::write(run.join("plan.json"), plan.to_string()).unwrap();
    run
}

#[test]
fn a_page_is_drawn_whole_in_light_and_dark() {
    let Some(browser) = chromium() else { return };
    let root = tempfile::tempdir().unwrap();
    let runs = [run_folder(root.path(), "first", 4.0), run_folder(root.path(), "second", 2.0)];
    let both = root.path().join("both.html");
    polder::report::write_to(&runs, &both).unwrap();
    for (page, width, charts) in
        [(polder::report::write(&runs[0]).unwrap(), 1280, 10), (runs[0].join("report.html"), 620, 10), (both, 1280, 10)]
    {
        let asked = measured(&browser, &page, width);
        assert!(asked["wide"].as_u64().unwrap() <= u64::from(width), "{asked}");
        assert!(asked["high"].as_u64().unwrap() < u64::from(HEIGHT), "{asked}");
        let rects = asked["charts"].as_array().unwrap();
        assert_eq!(rects.len(), charts);
        let (light, dark) = (picture(&browser, &page, false, width), picture(&browser, &page, true, width));
        for rect in rects {
            assert!(rect["right"].as_f64().unwrap() <= f64::from(width) - 8.0 && rect["left"].as_f64().unwrap() >= 8.0);
            for pixels in [&light, &dark] {
                // A line of a chart's width and more.
                let found = coloured(pixels, rect);
                assert!(found > 300, "{}: {found} coloured pixels in {rect}", page.display());
            }
        }
        for (pixels, ground) in [(&light, [0xff; 3]), (&dark, [0x14, 0x17, 0x1a])] {
            let edge = (0..HEIGHT).flat_map(|y| (width - 8..width).map(move |x| (x, y)));
            assert!(edge.into_iter().all(|(x, y)| at(pixels, x, y) == ground), "nothing is cut at the right edge");
        }
        let bright = |pixels: &Pixmap| pixels.pixels().iter().filter(|p| p.green() > 200).count();
        let all = (width * HEIGHT) as usize;
        assert!(bright(&light) > all * 4 / 5, "light: {} of {all}", bright(&light));
        assert!((1000..all / 10).contains(&bright(&dark)), "dark, with light text: {} of {all}", bright(&dark));
    }
}
