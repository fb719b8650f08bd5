// The search box of the page "Find" (theme/site.js loads it, after src/search.js). The index is a part of the page.
(() => {
  'use strict';

  const search = searchIn(JSON.parse(document.getElementById('search-index').textContent));
  const form = document.getElementById('search');
  const input = document.getElementById('query');
  const status = form.querySelector('[role=status]');
  const list = form.querySelector('ol');

  const item = ({ address, title, pageTitle }) => {
    const link = document.createElement('a');
    link.href = path_to_root + address;
    link.textContent = title.replaceAll('`', '');
    const where = document.createElement('span');
    // A page's first section has the page's title.
    where.textContent = title === pageTitle ? '' : ` ${pageTitle}`;
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
