//! `huggingface_hub` against the test server and on the same cache, so that neither drifts from the real interface.
//!
//! Needs a Python with `huggingface_hub`: the one that POLDER_TEST_PYTHON names, else one that is made here with what pip
//! installs. Without either the test says that it is skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use polder_hub::{Hub, PublishOptions, Settings, Upload};
use polder_hub_server::TOKEN;
use serde_json::Value;

use crate::place::{Place, address, large};

fn works(python: &Path) -> bool {
    let out = Command::new(python).args(["-c", "import huggingface_hub"]).output();
    out.is_ok_and(|out| out.status.success())
}

/// A Python that has the client.
fn python() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("POLDER_TEST_PYTHON").map(PathBuf::from).filter(|python| works(python)) {
        return Some(named);
    }
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("huggingface_hub");
    let python = venv.join("bin/python");
    if !works(&python) {
        let run = |program: &Path, args: &[&str]| {
            Command::new(program).args(args).output().is_ok_and(|out| out.status.success())
        };
        let made = run(Path::new("python3"), &["-m", "venv", venv.to_str()?]);
        let pip = ["-m", "pip", "install", "--quiet", "--timeout", "10", "--retries", "1", "huggingface_hub>=0.30"];
        let _ = made && run(&python, &pip);
    }
    works(&python).then_some(python)
}

#[test]
fn the_python_client_works_against_the_server_and_on_the_cache() {
    let Some(python) = python() else {
        println!("skipped: no Python with huggingface_hub, and none could be made");
        return;
    };
    let place = Place::with_model();
    place.server.store().part = 100_000;
    place.server.store().page = 2;
    place.hub().model(&address("hf://o/n"), &mut |_| {}).unwrap();
    let folder = place.path("folder");
    fs::create_dir_all(folder.join("deep")).unwrap();
    for (name, bytes) in
        [("config.json", b"{}".to_vec()), ("deep/model.safetensors", large()), ("empty.txt", Vec::new())]
    {
        fs::write(folder.join(name), bytes).unwrap();
    }
    let upload = |path: &str| Upload { path: path.to_owned(), file: folder.join(path) };
    let uploads = ["config.json", "deep/model.safetensors", "empty.txt"].map(upload);
    let options = PublishOptions { message: "by rust".to_owned(), ..PublishOptions::default() };
    place.hub().publish(&address("hf://polder/rust"), &uploads, &options, &mut |_| {}).unwrap();

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hub/client.py");
    let (endpoint, own) = (place.server.endpoint(), place.path("python"));
    let out = Command::new(&python)
        .arg(script)
        .args([&endpoint, TOKEN])
        .args([&folder, &own, &place.settings().cache])
        .env("HF_HOME", place.path("home"))
        .env("NO_PROXY", "127.0.0.1,localhost")
        .output()
        .unwrap();
    let lines: Vec<String> = place.server.seen().into_iter().map(|seen| seen.line).collect();
    assert!(out.status.success(), "{}\n{lines:#?}", String::from_utf8_lossy(&out.stderr));
    let said: Value = serde_json::from_slice(&out.stdout).unwrap();
    println!("huggingface_hub {}", said["version"]);
    assert_eq!((said["name"].as_str(), said["private"].as_bool()), (Some("polder"), Some(true)));
    assert_eq!(said["again"], said["uploaded"], "nothing changed, so nothing was committed");
    let files = [".gitattributes", "config.json", "deep/model.safetensors", "empty.txt", "sub/note.txt"];
    assert_eq!(said["files"], serde_json::json!(files));
    let mut store = place.server.store();
    let sums = |repo: &polder_hub_server::Repo| repo.paths("main").len();
    assert_eq!(sums(store.repo("polder/rust")), 4);
    assert_eq!(said["downloaded"].as_object().unwrap().len(), 4);
    assert_eq!(store.repo("polder/python").file("main", "deep/model.safetensors"), Some((large().as_slice(), true)));
    drop(store);
    // The same file by both ways, and what polder fetched found by Python without a network.
    let large_of = |list: &str, name: &str| said[list][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(large_of("downloaded", "deep/model.safetensors"), large_of("found", "model.safetensors"));
    assert_eq!(large_of("found", "model.safetensors").len(), 64);

    // What Python downloaded is found by polder without a network.
    let offline = Hub::new(Settings { offline: true, cache: own, ..place.settings() });
    let model = offline.model(&address("hf://polder/python/deep"), &mut |_| {});
    assert!(model.is_err(), "a folder without config.json is no model");
    let whole = Hub::new(Settings { cache: place.path("python"), ..place.settings() });
    place.server.store().repo("polder/python").put("main", "deep/config.json", b"{}", false);
    let model = whole.model(&address("hf://polder/python/deep"), &mut |_| {}).unwrap();
    assert_eq!(fs::read(model.path.join("model.safetensors")).unwrap(), large());
    let blobs = fs::read_dir(place.path("python/models--polder--python/blobs")).unwrap().count();
    assert_eq!(blobs, 5, "the large content is shared with what Python brought");
}
