import ArgumentParser
import KVInterchange
import KVPager

/// Where the text of tokens comes from.
struct VocabularyOptions: ParsableArguments {
  @Flag(help: "Show text: of --gguf's tokenizer, else what sessions keep as their own.")
  var text = false

  @Option(
    help: ArgumentHelp("A GGUF file of the model, whose tokenizer tells what tokens say.", valueName: "file"),
    completion: .file(extensions: ["gguf"]))
  var gguf: String?

  var isWanted: Bool { text || gguf != nil }

  /// What makes text of tokens; nil where no file is given.
  func decoder() throws -> (@Sendable ([Token]) -> String)? {
    guard let gguf else { return nil }
    let source = try ByteSource(path: gguf)
    do throws(FormatError) {
      let vocabulary = try TokenVocabulary(gguf: source)
      return { vocabulary.text(of: $0) }
    } catch {
      throw InputFailure(path: gguf, cause: error)
    }
  }
}
