//! The CUDA text by NVIDIA's own compilers, where `POLDER_TEST_CUDA` names a toolkit.

use std::path::PathBuf;
use std::process::Command;

use super::super::text;
use super::host::KERNELS;

/// The cards that are compiled for.
const CARDS: [&str; 3] = ["75", "80", "90"];

fn toolkit() -> Option<PathBuf> {
    let home = std::env::var_os("POLDER_TEST_CUDA").map(PathBuf::from);
    if home.is_none() {
        eprintln!("skipped: POLDER_TEST_CUDA does not name a CUDA toolkit");
    }
    home
}

#[test]
fn nvcc_makes_code_for_every_card() {
    let Some(home) = toolkit() else { return };
    let place = std::env::current_exe().expect("this program").with_file_name("kernels-nvcc");
    std::fs::create_dir_all(&place).expect("a folder");
    let source = place.join("kernels.cu");
    std::fs::write(&source, text::CUDA).expect("the kernels' text");
    for card in CARDS {
        let output = place.join(format!("kernels_{card}"));
        for (kind, ending) in [("-ptx", "ptx"), ("-cubin", "cubin")] {
            let mut nvcc = Command::new(home.join("bin/nvcc"));
            nvcc.env("CUDA_HOME", &home).args([kind, "-O3", "--fmad=false", "-Xptxas", "-v"]);
            let out = nvcc.arg(format!("-arch=sm_{card}")).arg("-o").arg(output.with_extension(ending)).arg(&source);
            let out = out.output().expect("nvcc");
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success(), "sm_{card}: {said}");
            eprintln!("sm_{card} {ending}: {said}");
        }
        let ptx = std::fs::read_to_string(output.with_extension("ptx")).expect("PTX");
        check(&ptx, &format!("sm_{card}"));
    }
}

/// Every kernel is there, and no operation that is not IEEE 754's.
fn check(ptx: &str, what: &str) {
    for (name, _) in KERNELS {
        assert!(ptx.contains(&format!(".entry {name}(")), "{what}: {name}");
    }
    for line in ptx.lines() {
        assert!(!line.contains(".approx") && !line.contains(".ftz"), "{what}: {line}");
    }
}

#[cfg(feature = "cuda")]
#[test]
fn nvrtc_makes_what_a_program_loads() {
    use candle_core::cuda_backend::cudarc::nvrtc::compile_ptx_with_opts;
    let Some(_) = toolkit() else { return };
    let ptx = compile_ptx_with_opts(text::CUDA, super::super::cuda::options()).expect("PTX");
    check(&ptx.to_src(), "NVRTC");
}
