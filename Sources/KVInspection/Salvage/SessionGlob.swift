#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Which sessions are meant: a name, or a pattern with `*`, `?` and `[...]` as a shell has them, where `*` stands for
/// slashes too.
package struct SessionGlob: Hashable, Sendable {
  package let pattern: String

  package init(_ pattern: String) { self.pattern = pattern }

  package func matches(_ name: String) -> Bool { name == pattern || fnmatch(pattern, name, 0) == 0 }
}
