// A thread for each client, with the standard library only; its backlog is 128. Usage: threads PORT [one]
use std::{env, io, net::*, thread, time};

fn serve(mut client: TcpStream) {
    let mut answers = client.try_clone().unwrap();
    let _ = io::copy(&mut client, &mut answers);
}

fn main() {
    let port: u16 = env::args().nth(1).unwrap().parse().unwrap();
    let one_at_a_time = env::args().nth(2).is_some();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    loop {
        match listener.accept() {
            Ok((client, _)) if one_at_a_time => serve(client),
            Ok((client, _)) => drop(thread::spawn(|| serve(client))),
            Err(_) => thread::sleep(time::Duration::from_millis(50)),
        }
    }
}
