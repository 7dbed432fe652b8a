/// What a study's drawings need beside a report's.
enum StudyStyle {
  static let text = """

    .occupancy { border-radius: 4px; background: var(--sunken); }
    .occupancy .hollow { stroke: none; }
    .addresses { background: var(--card); }
    .hollow-plain { fill: var(--line); }
    .axis { display: flex; justify-content: space-between; color: var(--quiet); font-size: .8125rem;
      margin-top: .2rem; }
    .rule { max-width: 46rem; margin: 0 0 1rem; }
    .rule li { list-style: disc; margin: 0 0 .35rem 1.25rem; }
    .legend { gap: .25rem 1.1rem; }
    .legend .key { display: inline-flex; gap: .4rem; align-items: center; }
    .legend svg { flex: none; }

    """
}
