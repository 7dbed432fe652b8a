import Foundation
import Testing

@Suite struct FailureTests {
  /// Runs a command that must fail: nothing on standard output, one line on standard error that says these words.
  private func refuse(
    _ arguments: [String], status: Int32, saying words: String..., isUsage: Bool = false,
    at location: SourceLocation = #_sourceLocation
  ) throws {
    let outcome = try CommandLineTool.run(arguments, expecting: status, location)
    #expect(outcome.output.isEmpty, sourceLocation: location)
    #expect(outcome.error.hasPrefix("kvpager: "), "\(outcome.error)", sourceLocation: location)
    for word in words { #expect(outcome.error.contains(word), "\(outcome.error)", sourceLocation: location) }
    if !isUsage {
      #expect(outcome.error.split(separator: "\n").count == 1, "\(outcome.error)", sourceLocation: location)
    }
  }

  @Test func `wrong usage ends with 2 and says what is right`() throws {
    let store = ["--store", "/nowhere"]
    func refuse(_ arguments: [String], saying words: String..., at location: SourceLocation = #_sourceLocation) throws {
      for word in words { try self.refuse(arguments, status: 2, saying: word, isUsage: true, at: location) }
    }
    try refuse(["import", "x"] + store, saying: "--session", "Usage:")
    try refuse(["sessions"], saying: "--store", "KVPAGER_STORE")
    try refuse(["gc", "--memory", "64M"] + store, saying: "--memory", "64MiB")
    try refuse(["gc", "--quota", "0"] + store, saying: "--quota")
    try refuse(["frobnicate"], saying: "frobnicate")
    try refuse(["session"] + store, saying: "No session is named")
    try refuse(["session", "a", "--session", "b"] + store, saying: "give one")
    try refuse(["export", "x", "--session", "a", "--llama-version", "5"] + store, saying: "2, 3 or 4")
    try refuse(["export", "x", "--session", "a", "--format", "gguf"] + store, saying: "safetensors")
    try refuse(["export", "-", "--session", "a", "--json"] + store, saying: "standard output")
    try refuse(["import", "x", "--session", "a", "--expires", "soon"] + store, saying: "30d")
    try refuse(["import", "x", "--session", "a", "--metadata", "user"] + store, saying: "name=value")
    try refuse(["fork", "a", "--as", "b", "--tokens", "-1"] + store, saying: "--tokens")
  }

  @Test func `a store that is not there is made by import alone`() throws {
    let folder = try Folder()
    let store = ["--store", folder.store]
    for command in [["sessions"], ["session", "a"], ["info"], ["stats"], ["verify"], ["gc"], ["delete", "a"]] {
      try refuse(command + store, status: 1, saying: folder.store, "kvpager import")
    }
    try refuse(["fork", "a", "--as", "b"] + store, status: 1, saying: folder.store)
    try refuse(["export", folder.file("x"), "--session", "a"] + store, status: 1, saying: folder.store)
    #expect(try folder.names.isEmpty)
  }

  @Test func `what is not there is named`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.quantized, as: "chat")
    let store = ["--store", folder.store]
    try refuse(["session", "nobody"] + store, status: 1, saying: "nobody")
    try refuse(["delete", "nobody"] + store, status: 1, saying: "nobody")
    try refuse(["fork", "nobody", "--as", "b"] + store, status: 1, saying: "nobody")
    try refuse(["export", folder.file("x"), "--session", "nobody"] + store, status: 1, saying: "nobody")
    try refuse(
      ["export", folder.file("none/x"), "--session", "chat"] + store, status: 1, saying: "none/x", "check the path")
    try refuse(["import", folder.file("none"), "--session", "b"] + store, status: 1, saying: "none", "check the path")
    #expect(!folder.exists("x"))
  }

  @Test func `names that are taken stay what they are`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.quantized, as: "chat")
    let store = ["--store", folder.store]
    // Also from another cache space: commands go by names alone.
    for sample in [Samples.quantized, Samples.long] {
      try refuse(["import", Samples.path(sample), "--session", "chat"] + store, status: 1, saying: "--replace")
    }
    try refuse(["fork", "chat", "--as", "chat"] + store, status: 1, saying: "exists")
    try folder.write(Data("precious".utf8), to: "file")
    try refuse(["export", folder.file("file"), "--session", "chat"] + store, status: 1, saying: "--force")
    #expect(try folder.bytes("file") == Data("precious".utf8))
    try refuse(["export", folder.path, "--session", "chat", "--force"] + store, status: 2, saying: "folder")
  }

  @Test func `names that cannot be kept are refused`() throws {
    let folder = try Folder()
    let importing = ["import", Samples.path(Samples.quantized), "--store", folder.store, "--session"]
    for name in ["", "a\nb", String(repeating: "x", count: 256)] {
      try refuse(importing + [name], status: 2, saying: "a session's name")
    }
    for name in ["-x", "a b/ü", String(repeating: "x", count: 255)] {
      try CommandLineTool.run(importing.dropLast() + ["--session=\(name)"])
      try CommandLineTool.run(["delete", "--store", folder.store, "--session=\(name)"])
    }
  }

  @Test func `a budget under one block is refused with the reason`() throws {
    let folder = try Folder()
    let importing = ["import", Samples.path(Samples.long), "--session", "chat", "--store", folder.store]
    try refuse(
      importing + ["--memory", "1MiB"], status: 1, saying: "one block of 64 tokens", "1474560", "raise the budget")
    try CommandLineTool.run(importing + ["--memory", "1474560"])
  }

  @Test func `input that is no state is refused by name and offset`() throws {
    let folder = try Folder()
    let store = ["--store", folder.store]
    try folder.write(Data(), to: "empty")
    try folder.write(Data("no state at all, just some text".utf8), to: "text")
    try folder.write(try Samples.bytes(Samples.quantized).prefix(300_000), to: "cut")
    for name in ["empty", "text", "cut"] {
      try refuse(
        ["import", folder.file(name), "--session", "a"] + store, status: 1, saying: folder.file(name), "at byte")
    }
    try refuse(["import", folder.path, "--session", "a"] + store, status: 2, saying: "no regular file")
    try refuse(["import", "/dev/null", "--session", "a"] + store, status: 2, saying: "no regular file")
    #expect(!folder.exists("store"))
  }

  @Test func `token ids that do not fit the file are refused`() throws {
    let folder = try Folder()
    let importing = ["import", Samples.path(Samples.quantized), "--session", "a", "--store", folder.store, "--tokens"]
    try folder.write(Data("[1, 2, 3]".utf8), to: "few")
    try refuse(importing + [folder.file("few")], status: 2, saying: "3 token ids", "48 rows")
    try folder.write(Data("1, 2, x".utf8), to: "odd")
    try refuse(importing + [folder.file("odd")], status: 1, saying: folder.file("odd"), "at byte 6")
    try folder.write(Data((0..<48).map(String.init).joined(separator: " ").utf8), to: "others")
    try refuse(importing + [folder.file("others")], status: 2, saying: "of its own")
  }

  @Test func `an export that fails leaves the file that was there and no half one`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.long, as: "chat")
    try folder.write(Data("precious".utf8), to: "file")
    // A limit of 1000 blocks of 512 bytes or 1 KiB, which the reading of the store does not meet.
    let outcome = try CommandLineTool.shell(
      "ulimit -f 1000; "
        + "exec \"$KVPAGER\" export --force '\(folder.file("file"))' --store '\(folder.store)' --session chat",
      expecting: 1)
    #expect(outcome.error.hasPrefix("kvpager: cannot write"))
    #expect(try folder.bytes("file") == Data("precious".utf8))
    #expect(try folder.names == ["file", "store"])
  }

  @Test func `a full or closed standard output is told, once`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.long, as: "chat")
    let store = "--store '\(folder.store)'"
    let broken = try CommandLineTool.shell("\"$KVPAGER\" export - --session chat \(store) | head -c 100 >/dev/null")
    #expect(broken.error == "kvpager: cannot write to standard output (Broken pipe)\n")
    // Who read enough of an answer closes the pipe: that is no error.
    let closed = try CommandLineTool.shell("\"$KVPAGER\" session chat --json \(store) | true")
    #expect(closed.error.isEmpty)
    #if os(Linux)
      let full = try CommandLineTool.shell("\"$KVPAGER\" stats \(store) >/dev/full", expecting: 1)
      #expect(full.error == "kvpager: cannot write to standard output (No space left on device)\n")
    #endif
  }

  @Test func `a file without its permission is refused`() throws {
    let folder = try Folder()
    try folder.write(try Samples.bytes(Samples.quantized), to: "locked")
    try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: folder.file("locked"))
    // The superuser may read everything.
    guard !FileManager.default.isReadableFile(atPath: folder.file("locked")) else { return }
    try refuse(
      ["import", folder.file("locked"), "--session", "a", "--store", folder.store], status: 1,
      saying: "check the permissions")
  }

  @Test func `the store may come from the environment`() throws {
    let folder = try Folder()
    try folder.importSample(Samples.quantized, as: "chat")
    let outcome = try CommandLineTool.run(["sessions"], environment: ["KVPAGER_STORE": folder.store])
    #expect(outcome.text.contains("chat"))
    #expect(outcome.error.isEmpty)
  }
}
