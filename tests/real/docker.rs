//! A real Docker engine: rotation with and without compression, restarts into the same file, removal while we read,
//! labels, the partial form of long lines, under a `--data-root` that only the running dockerd's command line tells.

use tests::Nodetap;
use tests::process::Running;

use crate::machine::Machine;
use crate::stopwatch::Stopwatch;
use crate::truth::Truth;
use crate::witness::Witness;

/// Where nobody would look.
const ROOT_DIRECTORY: &str = "/data/docker";
const IMAGE: &str = "localhost/nodetap/writer:1";
/// As Kubernetes would name the pod of the container that carries its labels.
const POD_UID: &str = "0f2c1a9e-5b7d-4c57-9d0c-5a1f4f6f7a11";

/// The ids of the containers that the test looks at again.
struct Containers {
    web: String,
    steady: String,
    plain: String,
    crash: String,
    pod: String,
}

#[test]
fn every_line_of_a_real_docker_engine() {
    let mut watch = Stopwatch::start("docker");
    let machine = Machine::docker(ROOT_DIRECTORY);
    watch.did("found and started dockerd");
    let witness = Witness::watch(&[machine.directory("docker/containers")]);
    let nodetap = machine.nodetap();
    let running = nodetap.start();
    let containers = start_containers(&machine);
    let running = live_through_restarts(&machine, &witness, &nodetap, running, &containers);
    watch.did("wrote through rotations, restarts and a removal");
    machine.run(&[
        "docker", "stop", "--time", "5", "web", "steady", "plain", "long", "pod", "local",
    ]);
    running.settle().must_have_lost_nothing();
    running.stop();
    let documents = nodetap.documents(&[]);
    let mut truth = Truth::of_docker(&witness.testify());
    truth.must_be_whole();
    assert_eq!(
        truth.lines(&containers.crash).len(),
        60,
        "three lives of twenty lines"
    );
    assert!(
        truth.lines(&containers.plain).len() > 5000,
        "the plain chain was rotated"
    );
    truth.rename(&containers.pod, &format!("{POD_UID}/app"));
    let tally = truth
        .compare(&documents, |_| false)
        .unwrap_or_else(|report| panic!("{report}"));
    watch.did(&format!(
        "found {} lines of {} streams once each",
        tally.lines, tally.streams
    ));
    names_are_right(&nodetap, &containers);
    drop(machine);
    watch.did("ended dockerd");
}

fn start_containers(machine: &Machine) -> Containers {
    let run = |name: &str, flags: &str, arguments: &str| {
        let mut command = vec![
            "docker",
            "run",
            "--detach",
            "--network",
            "none",
            "--name",
            name,
        ];
        command.extend(flags.split_whitespace());
        command.push(IMAGE);
        command.extend(arguments.split_whitespace());
        machine.run(&command)
    };
    run("local", "--log-driver=local", "-tag=local -rate=10");
    run(
        "long",
        "",
        "-tag=long -rate=20 -long-every=3 -long-size=40000 -stderr-every=2",
    );
    run("last", "", "-tag=last -rate=10 -lines=3 -no-newline");
    let attributes =
        "--label tier=front --env REGION=eu --log-opt labels=tier --log-opt env=REGION";
    let compressed = "--log-opt max-size=1m --log-opt max-file=5 --log-opt compress=true";
    let plain = "--log-opt max-size=1m --log-opt max-file=5";
    let labels = format!(
        "--label io.kubernetes.pod.namespace=shop --label io.kubernetes.pod.name=order-1 \
         --label io.kubernetes.pod.uid={POD_UID} --label io.kubernetes.container.name=app"
    );
    run("doomed", "", "-tag=doomed -rate=1000 -size=300");
    Containers {
        web: run("web", attributes, "-tag=web -rate=50 -stderr-every=4"),
        steady: run("steady", compressed, "-tag=steady -rate=1500 -size=200"),
        plain: run("plain", plain, "-tag=plain -rate=1000 -size=200"),
        crash: run(
            "crash",
            "--restart=on-failure:2",
            "-tag=crash -rate=50 -lines=20 -exit=1",
        ),
        pod: run("pod", &labels, "-tag=pod -rate=20"),
    }
}

/// Stops, starts and kills nodetap while the engine goes on, and gives the last one running.
fn live_through_restarts(
    machine: &Machine,
    witness: &Witness,
    nodetap: &Nodetap,
    running: Running,
    containers: &Containers,
) -> Running {
    witness.wait_for_files(&containers.steady, 4);
    machine.run(&["docker", "rm", "--force", "doomed"]);
    machine.run(&["docker", "restart", "--time", "5", "web"]);
    witness.wait_for_files(&containers.steady, 2);
    running.stop();
    machine.run(&["docker", "restart", "--time", "5", "web"]);
    witness.wait_for_files(&containers.steady, 2);
    let mut running = nodetap.start();
    for _ in 0..3 {
        witness.wait_for_bytes(&containers.steady, 1_200_000);
        running.kill();
        running = nodetap.start();
    }
    running
}

/// What `config.v2.json` says about a container stands in its documents.
fn names_are_right(nodetap: &Nodetap, containers: &Containers) {
    let one = |arguments: &[&str]| -> serde_json::Value {
        let done = nodetap.run(
            "logs",
            &[&["-o", "json", "--limit", "1"], arguments].concat(),
        );
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    };
    let web = one(&["-c", "web"]);
    assert_eq!(web["container"]["id"], containers.web.as_str());
    assert_eq!(web["container"]["name"], "web");
    assert_eq!(web["container"]["runtime"], "docker");
    assert_eq!(web["container"]["image"]["name"], IMAGE);
    let live = format!(
        "{ROOT_DIRECTORY}/containers/{0}/{0}-json.log",
        containers.web
    );
    assert_eq!(web["log"]["file"]["path"], live.as_str());
    let pod = one(&["-n", "shop", "-p", "order-*", "-c", "app"]);
    assert_eq!(pod["kubernetes"]["pod"]["uid"], POD_UID);
    assert_eq!(pod["kubernetes"]["pod"]["name"], "order-1");
    assert_eq!(pod["container"]["id"], containers.pod.as_str());
}
