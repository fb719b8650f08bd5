// Finds sections, messages, APIs and programs by words. Loaded by theme/site.js on the page that has the box.
//
// The index stands in the page; tools/pages/src/find/search.rs makes it and says what is in it. Words are
// compared by their stems, as tools/pages/src/find/words.rs has them.
(() => {
  'use strict';

  const KINDS = { s: 'Section', q: 'Question', m: 'Message', a: 'API', l: 'Program' };
  const WEIGHTS = { m: 9, q: 8, s: 7, a: 6, l: 4 };
  const MOST = 15;

  const stem = (word) => {
    let rest = word.length > 3 && /[^s]s$/.test(word) ? word.slice(0, -1) : word;
    const plain = rest.replace(/(ing|ed|ation)$/, '');
    if (plain !== rest && plain.length > 2) {
      rest = plain.replace(/(.)\1$/, '$1');
    }
    return rest.length > 3 ? rest.replace(/e$/, '') : rest;
  };

  const split = (text) => text.toLowerCase().match(/[a-z0-9_]{2,}/g) ?? [];

  const { pages, entries, words } = JSON.parse(document.getElementById('search-index').textContent);
  // Of each stem, the entries that have it, with what that is worth.
  const postings = new Map();
  const add = (word, entry, worth) => {
    const found = postings.get(word) ?? new Map();
    found.set(entry, Math.max(worth, found.get(entry) ?? 0));
    postings.set(word, found);
  };
  entries.forEach(([, , kind, title], index) => {
    const own = split(title);
    const parts = own.flatMap((word) => (word.includes('_') ? word.split('_') : []));
    [...own, ...parts].forEach((word) => add(stem(word), index, WEIGHTS[kind]));
  });
  for (const line of words.split('\n')) {
    const [word, ...places] = line.split(' ');
    let entry = 0;
    for (const place of places) {
      entry += parseInt(place, 36);
      add(word, entry, 1);
    }
  }

  // A page's own title helps all of it a little.
  entries.forEach(([page], index) => {
    for (const word of new Set(split(pages[page][1]).map(stem))) {
      add(word, index, 0.5 + (postings.get(word)?.get(index) ?? 0));
    }
  });

  // Whether two words differ by one letter: another, one more, one less, or two that changed places.
  const isNear = (a, b) => {
    if (Math.abs(a.length - b.length) > 1) {
      return false;
    }
    let start = 0;
    while (start < a.length && a[start] === b[start]) {
      start += 1;
    }
    const [restA, restB] = [a.slice(start), b.slice(start)];
    return (
      restA.slice(1) === restB.slice(1) ||
      restA.slice(1) === restB ||
      restA === restB.slice(1) ||
      (restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2))
    );
  };

  // The entries for one word, with what each is worth.
  const lookUp = (word) => {
    const found = new Map();
    const take = (known, part) => {
      for (const [entry, worth] of postings.get(known)) {
        found.set(entry, Math.max(worth * part, found.get(entry) ?? 0));
      }
    };
    const known = stem(word);
    for (const other of postings.keys()) {
      if (other === known) {
        take(other, 1);
      } else if (known.length > 2 && other.startsWith(known)) {
        take(other, 0.6);
      }
    }
    if (found.size === 0 && known.length > 3) {
      [...postings.keys()].filter((other) => isNear(known, other)).forEach((other) => take(other, 0.4));
    }
    return found;
  };

  // A message as it is pasted, whatever stands around its words.
  const plain = (text) => text.toLowerCase().replaceAll('`', '').replace(/\s+/g, ' ').trim();
  const VERBATIM = { m: 90, s: 70, q: 50 };

  const search = (query) => {
    const scores = new Map();
    const pasted = plain(query);
    for (const word of new Set(split(query))) {
      for (const [entry, worth] of lookUp(word)) {
        const { matched, score } = scores.get(entry) ?? { matched: 0, score: 0 };
        scores.set(entry, { matched: matched + 1, score: score + worth });
      }
    }
    for (const [entry, found] of scores) {
      const [, , kind, title] = entries[entry];
      const words = plain(title);
      if (pasted.includes(' ') && words.includes(pasted)) {
        // The whole of it before a longer one that has it in it.
        found.score += (VERBATIM[kind] ?? 0) * (words === pasted ? 2 : 1);
      }
    }
    const best = [...scores].sort(
      ([a, one], [b, other]) => other.matched - one.matched || other.score - one.score || a - b,
    );
    // An address is told once, by what fits best.
    const told = new Set();
    return best
      .map(([entry]) => entries[entry])
      .filter(([page, id]) => !told.has(`${page}#${id}`) && told.add(`${page}#${id}`))
      .slice(0, MOST);
  };

  const form = document.getElementById('search');
  const input = document.getElementById('query');
  const status = form.querySelector('[role=status]');
  const list = form.querySelector('ol');

  const item = ([page, id, kind, title]) => {
    const link = document.createElement('a');
    link.href = `${path_to_root}${pages[page][0]}${id ? `#${id}` : ''}`;
    link.textContent = title.replaceAll('`', '');
    const where = document.createElement('span');
    where.textContent = ` ${KINDS[kind]} · ${pages[page][1]}`;
    const element = document.createElement('li');
    element.append(link, where);
    return element;
  };

  const show = () => {
    const query = input.value.trim();
    const found = query ? search(query) : [];
    list.replaceChildren(...found.map(item));
    if (!query) {
      status.textContent = '';
    } else if (found.length === 0) {
      status.textContent = 'No section has these words. Try fewer words, or look through the lists below.';
    } else {
      status.textContent = found.length === 1 ? '1 result' : `${found.length} results, the best first`;
    }
    try {
      // Coming back from a result, the reader finds the others.
      history.replaceState(null, '', query ? `?q=${encodeURIComponent(query)}` : location.pathname);
    } catch {
      // Not for a page that was opened as a file.
    }
  };

  input.addEventListener('input', show);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    list.querySelector('a')?.click();
  });
  form.addEventListener('keydown', (event) => {
    const stops = [input, ...list.querySelectorAll('a')];
    const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (way) {
      event.preventDefault();
      stops[stops.indexOf(document.activeElement) + way]?.focus();
    } else if (event.key === 'Escape') {
      input.value = '';
      show();
      input.focus();
    }
  });

  input.value = new URLSearchParams(location.search).get('q') ?? '';
  show();
  if (!location.hash) {
    input.focus();
  }
})();
