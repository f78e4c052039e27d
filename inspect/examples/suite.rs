//! dev
use std::path::Path;
use std::process::{Command, Stdio};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let root = Path::new(&a[1]).canonicalize().unwrap();
    let mut all = vec![];
    for s in inspect::tests::detect(&root) {
        let scratch = std::env::temp_dir().join(format!("scr-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&scratch);
        std::fs::create_dir_all(&scratch).unwrap();
        let c = match inspect::tests::command(&s, &root, &a[2..], &scratch) { Ok(c) => c, Err(e) => { println!("{e}"); continue } };
        for (p, t) in &c.files { std::fs::write(p, t).unwrap(); }
        let o = Command::new(&c.argv[0]).args(&c.argv[1..]).envs(c.env.iter().cloned()).current_dir(&c.cwd).stdin(Stdio::null()).output().unwrap();
        let outs: Vec<_> = c.outputs.iter().filter_map(|p| Some((p.clone(), std::fs::read_to_string(p).ok()?))).collect();
        if std::env::var("RAW").is_ok() { println!("{:?}\n{}\n--err\n{}", c.argv, String::from_utf8_lossy(&o.stdout), String::from_utf8_lossy(&o.stderr)); for (p, t) in &outs { println!("== {p:?}\n{t}"); } }
        all.push(inspect::tests::finish(&s, &c, o.status.code(), (&String::from_utf8_lossy(&o.stdout), &String::from_utf8_lossy(&o.stderr)), &outs, 0.0));
        let _ = std::fs::remove_dir_all(&scratch);
    }
    println!("{}", serde_json::to_string_pretty(&inspect::tests::total(all)).unwrap());
}
